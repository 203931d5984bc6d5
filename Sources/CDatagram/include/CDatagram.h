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

/// Whether the system can cut messages into datagrams.
#ifdef __linux__
enum { datagrams_can_cut = 1 };
#else
enum { datagrams_can_cut = 0 };
#endif

/// Bytes of memory, aligned like a word, that one message needs to be cut.
enum { datagrams_control_size = 32 };

/// Lets the system cut a message into datagrams of a size, the last of which may be shorter; 0 says that it takes it whole.
///
/// The control memory must be there until the message is sent.
void datagrams_cut(struct datagram *_Nonnull message, void *_Nonnull control, unsigned short size);

#endif
