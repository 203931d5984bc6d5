#ifndef APUS_CDATAGRAM_H
#define APUS_CDATAGRAM_H

#include <sys/socket.h>

/// One of several datagrams: where it is or goes, and how long the one that was read is.
struct datagram {
    struct msghdr header;
    unsigned int length;
};

/// Reads or sends datagrams without waiting: in one call of the system where it has one for that.
///
/// Returns how many, or -1 with `errno` when not even the first one could be read or sent.
int datagrams_receive(int socket, struct datagram *_Nonnull datagrams, unsigned int count);
int datagrams_send(int socket, struct datagram *_Nonnull datagrams, unsigned int count);

#endif
