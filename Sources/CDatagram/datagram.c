// The calls for many datagrams at once are hidden from programs that do not ask for them.
#define _GNU_SOURCE
#include "CDatagram.h"

#ifdef __linux__

_Static_assert(sizeof(struct datagram) == sizeof(struct mmsghdr), "The same structure under another name");

int datagrams_receive(int socket, struct datagram *datagrams, unsigned int count) {
    return recvmmsg(socket, (struct mmsghdr *)datagrams, count, MSG_DONTWAIT, 0);
}

int datagrams_send(int socket, struct datagram *datagrams, unsigned int count) {
    return sendmmsg(socket, (struct mmsghdr *)datagrams, count, MSG_DONTWAIT);
}

#else

int datagrams_receive(int socket, struct datagram *datagrams, unsigned int count) {
    for (unsigned int index = 0; index < count; index++) {
        ssize_t length = recvmsg(socket, &datagrams[index].header, MSG_DONTWAIT);
        if (length < 0) return index > 0 ? (int)index : -1;
        datagrams[index].length = (unsigned int)length;
    }
    return (int)count;
}

int datagrams_send(int socket, struct datagram *datagrams, unsigned int count) {
    for (unsigned int index = 0; index < count; index++) {
        if (sendmsg(socket, &datagrams[index].header, MSG_DONTWAIT) < 0) return index > 0 ? (int)index : -1;
    }
    return (int)count;
}

#endif
