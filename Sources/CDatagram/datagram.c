// The calls for many datagrams at once are hidden from programs that do not ask for them.
#define _GNU_SOURCE
#include "CDatagram.h"

#ifdef __linux__

#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

_Static_assert(CMSG_SPACE(sizeof(unsigned short)) <= datagrams_control_size, "Room for one number");

_Static_assert(sizeof(struct datagram) == sizeof(struct mmsghdr), "The same structure under another name");

int datagrams_receive(int socket, struct datagram *datagrams, unsigned int count) {
    return recvmmsg(socket, (struct mmsghdr *)datagrams, count, MSG_DONTWAIT, 0);
}

int datagrams_send(int socket, struct datagram *datagrams, unsigned int count) {
    return sendmmsg(socket, (struct mmsghdr *)datagrams, count, MSG_DONTWAIT);
}

void datagrams_cut(struct datagram *message, void *control, unsigned short size) {
    message->header.msg_control = size > 0 ? control : 0;
    message->header.msg_controllen = size > 0 ? CMSG_SPACE(sizeof size) : 0;
    if (size > 0) {
        struct cmsghdr *order = CMSG_FIRSTHDR(&message->header);
        order->cmsg_level = IPPROTO_UDP;
        order->cmsg_type = UDP_SEGMENT;
        order->cmsg_len = CMSG_LEN(sizeof size);
        memcpy(CMSG_DATA(order), &size, sizeof size);
    }
}

#else

void datagrams_cut(struct datagram *message, void *control, unsigned short size) {
    (void)message, (void)control, (void)size;
}

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
