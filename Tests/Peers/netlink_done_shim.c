// Preloaded into Debian 12's jamid (20230206) on Linux 6.9 and later.
//
// The daemon's ICE library dumps network addresses over netlink and then waits for a datagram that holds nothing but
// NLMSG_DONE. Newer kernels append NLMSG_DONE to the last datagram with data, so the daemon would wait for ever. This
// cuts the appended NLMSG_DONE off and hands it over on its own at the next recv().
//
//   cc -shared -fPIC -O2 -o netlink_done_shim.so netlink_done_shim.c -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#define DESCRIPTORS 65536
static char owes_done[DESCRIPTORS];

static int is_netlink(int descriptor) {
    int domain = 0;
    socklen_t length = sizeof domain;
    return descriptor >= 0 && descriptor < DESCRIPTORS &&
           getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_NETLINK;
}

static ssize_t hand_over_done(int descriptor, void *buffer) {
    const size_t size = NLMSG_LENGTH(sizeof(int));
    struct nlmsghdr done = {.nlmsg_len = size, .nlmsg_type = NLMSG_DONE, .nlmsg_flags = NLM_F_MULTI};
    memset(buffer, 0, size);
    memcpy(buffer, &done, sizeof done);
    owes_done[descriptor] = 0;
    return (ssize_t)size;
}

ssize_t recv(int descriptor, void *buffer, size_t size, int flags) {
    static ssize_t (*system_recv)(int, void *, size_t, int);
    if (!system_recv) system_recv = (ssize_t(*)(int, void *, size_t, int))dlsym(RTLD_NEXT, "recv");
    if (!is_netlink(descriptor)) return system_recv(descriptor, buffer, size, flags);
    if (owes_done[descriptor] && size >= NLMSG_LENGTH(sizeof(int))) return hand_over_done(descriptor, buffer);

    const ssize_t received = system_recv(descriptor, buffer, size, flags);
    ssize_t offset = 0;
    while (received - offset >= (ssize_t)sizeof(struct nlmsghdr)) {
        const struct nlmsghdr *header = (const struct nlmsghdr *)((const char *)buffer + offset);
        if (header->nlmsg_len < sizeof *header || (ssize_t)header->nlmsg_len > received - offset) break;
        if (header->nlmsg_type == NLMSG_DONE && offset > 0) {
            owes_done[descriptor] = 1;
            return offset;
        }
        offset += NLMSG_ALIGN(header->nlmsg_len);
    }
    return received;
}
