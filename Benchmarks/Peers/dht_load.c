// Load for one DHT node: 64 nodes on loopback that answer what they are asked, eight of which send requests.
//
//   dht_load PID PORT      prints its ports as a JSON line, then takes commands, one a line:
//
//   ready N                waits until the target has asked N of the nodes something
//   run KIND SECONDS N     keeps N ping, find, get or put requests in flight, without ever sleeping
//   values N               puts N values, each at a key of its own
//   listeners N            listens at N keys
//   quit
//
// Each command but quit is answered by a JSON line. The processor time is that of the process PID. Keys lie near the
// target's own id, since a node refuses values that are not its business.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { NODES = 64, LOADERS = 8, WINDOW = 16, DATAGRAM = 4096, STORED = 4096, BATCH = 64 };

struct node {
    int socket, outstanding;
    uint16_t port;  // in network order
    uint8_t id[20], token[64];
    int tokenLength, wasAsked;
    uint32_t confirmed;
    double lastAnswer;
};

static struct node nodes[NODES];
static struct sockaddr_in target;
static uint8_t targetID[20];
static int hasTargetID;
static long pid;
static uint64_t answered, failed, lost;
static uint32_t transaction = 1;
static uint64_t randomState = 0x9E3779B97F4A7C15u;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static uint64_t mix(uint64_t value) {
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9u;
    value = (value ^ value >> 27) * 0x94D049BB133111EBu;
    return value ^ value >> 31;
}

static uint64_t draw(void) { return mix(randomState += 0x9E3779B97F4A7C15u); }

// Processor time of the target in seconds, of all its threads that live.
static double processorTime(void) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file) return -1;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    char *fields = strrchr(text, ')');
    unsigned long user = 0, system = 0;
    if (!fields || sscanf(fields + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) return -1;
    return (double)(user + system) / sysconf(_SC_CLK_TCK);
}

// A writer of MessagePack.

struct bytes {
    uint8_t data[DATAGRAM];
    int count;
};

static void byte(struct bytes *out, int value) { out->data[out->count++] = value; }

static void raw(struct bytes *out, const void *data, int count) {
    memcpy(out->data + out->count, data, count);
    out->count += count;
}

static void text(struct bytes *out, const char *value) {
    byte(out, 0xA0 | (int)strlen(value));
    raw(out, value, strlen(value));
}

static void binary(struct bytes *out, const void *data, int count) {
    byte(out, 0xC4);
    byte(out, count);
    raw(out, data, count);
}

static void number(struct bytes *out, uint64_t value, int width) {
    byte(out, width == 8 ? 0xCF : 0xCE);
    for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) byte(out, value >> shift & 0xFF);
}

// Requests.

// Near the target: the first 32 bits are its own.
static void keyOf(uint64_t index, uint8_t *key) {
    memcpy(key, targetID, 4);
    uint64_t first = mix(index * 2 + 1), second = mix(index * 2 + 2);
    memcpy(key + 4, &first, 8);
    memcpy(key + 12, &second, 8);
}

static void begin(struct bytes *out, const struct node *from, int arguments) {
    out->count = 0;
    byte(out, 0x85);
    text(out, "a");
    byte(out, 0x80 | (arguments + 1));
    text(out, "id");
    binary(out, from->id, 20);
}

static void end(struct bytes *out, const char *method) {
    text(out, "q");
    text(out, method);
    text(out, "t");
    number(out, transaction++, 4);
    text(out, "y");
    text(out, "q");
    text(out, "v");
    text(out, "load");
}

static void value(struct bytes *out, uint64_t index) {
    uint8_t data[100];
    memset(data, (int)index, sizeof data);
    text(out, "values");
    byte(out, 0x91);
    byte(out, 0x82);
    text(out, "id");
    number(out, index + 0x100000000u, 8);
    text(out, "dat");
    byte(out, 0x81);
    text(out, "body");
    byte(out, 0x82);
    text(out, "type");
    byte(out, 0);
    text(out, "data");
    binary(out, data, sizeof data);
}

static void request(struct bytes *out, const struct node *from, char kind, uint64_t index) {
    uint8_t key[20];
    if (kind != 'f') keyOf(index, key);
    switch (kind) {
    case 'p':
        begin(out, from, 0);
        return end(out, "ping");
    case 'f':
        for (int word = 0; word < 3; word++) {
            uint64_t random = draw();
            memcpy(key + 8 * word, &random, word < 2 ? 8 : 4);
        }
        begin(out, from, 1);
        text(out, "target");
        binary(out, key, 20);
        return end(out, "find");
    case 'g':
        begin(out, from, 1);
        text(out, "h");
        binary(out, key, 20);
        return end(out, "get");
    case 's':
        begin(out, from, 3);
        text(out, "h");
        binary(out, key, 20);
        value(out, index);
        text(out, "token");
        binary(out, from->token, from->tokenLength);
        return end(out, "put");
    default:
        begin(out, from, 4);
        text(out, "ve");
        byte(out, 1);
        text(out, "h");
        binary(out, key, 20);
        text(out, "token");
        binary(out, from->token, from->tokenLength);
        text(out, "sid");
        number(out, 0x10000 + (uint32_t)index, 4);
        return end(out, "listen");
    }
}

// What comes back.

static const uint8_t *find(const uint8_t *data, int count, const char *key) {
    uint8_t pattern[16] = {0xA0 | (uint8_t)strlen(key)};
    memcpy(pattern + 1, key, strlen(key));
    const uint8_t *found = memmem(data, count, pattern, strlen(key) + 1);
    return found ? found + strlen(key) + 1 : NULL;
}

// Answers a request of the target, so that it takes us for good nodes; tells of eight of us.
static void serve(struct node *node, const uint8_t *data, int count) {
    const uint8_t *number = data;
    // The transaction is the last "t" of the message: ids may hold anything.
    for (const uint8_t *next = data; (next = find(next, count - (int)(next - data), "t"));) number = next;
    if (number == data || number + 6 > data + count) return;
    int width = *number == 0xCE ? 5 : *number == 0xCD ? 3 : *number == 0xCC ? 2 : *number < 0x80 ? 1 : 6;
    struct bytes out = {.count = 0};
    byte(&out, 0x84);
    text(&out, "r");
    byte(&out, 0x84);
    text(&out, "id");
    binary(&out, node->id, 20);
    text(&out, "n4");
    byte(&out, 0xC4);
    byte(&out, 8 * 26);
    for (int other = 0; other < 8; other++) {
        const struct node *told = &nodes[draw() % NODES];
        raw(&out, told->id, 20);
        raw(&out, &target.sin_addr, 4);
        raw(&out, &told->port, 2);
    }
    text(&out, "sa");
    binary(&out, &target.sin_addr, 4);
    text(&out, "token");
    binary(&out, node->id, 20);
    text(&out, "t");
    raw(&out, number, width);
    text(&out, "y");
    text(&out, "r");
    text(&out, "v");
    text(&out, "load");
    sendto(node->socket, out.data, out.count, 0, (struct sockaddr *)&target, sizeof target);
    node->wasAsked = 1;
}

static void take(struct node *node, const uint8_t *data, int count, double time) {
    if (count < 30 || data[1] != 0xA1) return;
    switch (data[2]) {
    case 'a':
        return serve(node, data, count);
    case 'r': {
        const uint8_t *token = find(data, count, "token"), *id = find(data, count, "id");
        if (token && token[0] == 0xC4 && token[1] <= 64 && token + 2 + token[1] <= data + count) {
            node->tokenLength = token[1];
            memcpy(node->token, token + 2, token[1]);
        }
        if (!hasTargetID && id && id + 22 <= data + count) {
            memcpy(targetID, id + 2, 20);
            hasTargetID = 1;
        }
        answered++;
        break;
    }
    case 'e':
        failed++;
        break;
    default:
        return;
    }
    if (node->outstanding > 0) node->outstanding--;
    node->lastAnswer = time;
}

static uint8_t inBuffers[BATCH][65536];

static int receive(struct node *node) {
    static struct mmsghdr messages[BATCH];
    static struct iovec vectors[BATCH];
    for (int index = 0; index < BATCH; index++) {
        vectors[index] = (struct iovec){inBuffers[index], sizeof inBuffers[index]};
        messages[index].msg_hdr = (struct msghdr){.msg_iov = &vectors[index], .msg_iovlen = 1};
    }
    int count = recvmmsg(node->socket, messages, BATCH, MSG_DONTWAIT, NULL);
    double time = now();
    for (int index = 0; index < count; index++) take(node, inBuffers[index], (int)messages[index].msg_len, time);
    return count > 0 ? count : 0;
}

static void receiveAll(int first, int last) {
    for (int index = first; index < last; index++) receive(&nodes[index]);
}

// Sends requests until the window of a node is full again; the number sent.
static int fill(struct node *node, char kind, uint64_t *index, uint64_t count, int window) {
    static struct bytes buffers[WINDOW];
    static struct mmsghdr messages[WINDOW];
    static struct iovec vectors[WINDOW];
    int wanted = window - node->outstanding, ready = 0;
    while (ready < wanted && *index < count) {
        request(&buffers[ready], node, kind, kind == 'g' || kind == 's' ? *index % STORED : *index);
        (*index)++;
        vectors[ready] = (struct iovec){buffers[ready].data, buffers[ready].count};
        messages[ready].msg_hdr = (struct msghdr){
            .msg_name = &target, .msg_namelen = sizeof target, .msg_iov = &vectors[ready], .msg_iovlen = 1};
        ready++;
    }
    int sent = 0;
    while (sent < ready) {
        int more = sendmmsg(node->socket, messages + sent, ready - sent, 0);
        if (more > 0) sent += more;
    }
    node->outstanding += ready;
    return ready;
}

static void forgetLost(double time) {
    for (int index = 0; index < LOADERS; index++) {
        struct node *node = &nodes[index];
        if (node->outstanding && time - node->lastAnswer > 0.5) {
            lost += node->outstanding;
            node->outstanding = 0;
            node->lastAnswer = time;
        }
    }
}

static int outstanding(void) {
    int total = 0;
    for (int index = 0; index < LOADERS; index++) total += nodes[index].outstanding;
    return total;
}

// Keeps requests in flight for a time or until all are answered.
static void load(char kind, double seconds, uint64_t count, int window) {
    uint64_t index = 0;
    double started = now(), end = started + seconds, nextAll = started;
    for (int node = 0; node < LOADERS; node++) nodes[node].lastAnswer = started;
    while (1) {
        double time = now();
        if (time >= end || (index >= count && outstanding() == 0)) break;
        for (int node = 0; node < LOADERS; node++) {
            receive(&nodes[node]);
            // Several at once, as packets of many peers pile up in front of a busy node.
            if (nodes[node].outstanding <= window / 2) fill(&nodes[node], kind, &index, count, window);
        }
        if (time >= nextAll) {
            receiveAll(LOADERS, NODES);
            forgetLost(time);
            nextAll = time + 0.005;
        }
    }
}

static void rest(double seconds) {
    for (double end = now() + seconds; now() < end; usleep(500)) receiveAll(0, NODES);
    for (int index = 0; index < LOADERS; index++) nodes[index].outstanding = 0;
}

static void run(char kind, double seconds, int window) {
    load('f', 1e9, LOADERS, 1);
    if (kind == 'g' || kind == 's') load('s', 1e9, STORED, WINDOW);
    load(kind, 0.3, UINT64_MAX, window);
    answered = failed = lost = 0;
    double processor = processorTime(), started = now();
    load(kind, seconds, UINT64_MAX, window);
    processor = processorTime() - processor;
    double elapsed = now() - started;
    printf("{\"answered\": %lu, \"failed\": %lu, \"lost\": %lu, \"seconds\": %.6f, \"processor\": %.6f}\n", answered, failed,
           lost, elapsed, processor);
    rest(0.05);
}

static void fillTarget(char kind, uint64_t count) {
    load('f', 1e9, LOADERS, 1);
    answered = failed = lost = 0;
    if (kind == 's') {
        // Each at a key of its own, so not through the table of stored keys.
        for (uint64_t index = 0; index < count; index++) {
            struct bytes out;
            request(&out, &nodes[index % LOADERS], 's', index);
            sendto(nodes[index % LOADERS].socket, out.data, out.count, 0, (struct sockaddr *)&target, sizeof target);
            double end = now() + 1;
            for (uint64_t before = answered + failed; answered + failed == before && now() < end;) {
                receiveAll(0, LOADERS);
            }
            if (index % 64 == 0) receiveAll(LOADERS, NODES);
        }
    } else {
        load('l', 1e9, count, 4);
    }
    rest(0.2);
    printf("{\"answered\": %lu, \"failed\": %lu}\n", answered, failed);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    pid = atol(argv[1]);
    target = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(atoi(argv[2])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    printf("{\"ports\": [");
    for (int index = 0; index < NODES; index++) {
        struct node *node = &nodes[index];
        for (int word = 0; word < 3; word++) {
            uint64_t random = draw();
            memcpy(node->id + 8 * word, &random, word < 2 ? 8 : 4);
        }
        struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof own;
        int size = 4 << 20;
        node->socket = socket(AF_INET, SOCK_DGRAM, 0);
        setsockopt(node->socket, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        if (bind(node->socket, (struct sockaddr *)&own, sizeof own) != 0) return 1;
        getsockname(node->socket, (struct sockaddr *)&own, &length);
        node->port = own.sin_port;
        printf("%s%d", index ? ", " : "", ntohs(own.sin_port));
    }
    printf("]}\n");
    fflush(stdout);
    char line[128];
    struct pollfd input = {.fd = 0, .events = POLLIN};
    setvbuf(stdin, NULL, _IONBF, 0);
    while (1) {
        if (poll(&input, 1, 1) == 0) {
            receiveAll(0, NODES);
            continue;
        }
        if (!fgets(line, sizeof line, stdin)) return 0;
        char kind[16];
        double seconds;
        unsigned long count;
        if (sscanf(line, "run %15s %lf %lu", kind, &seconds, &count) == 3 && count >= LOADERS && count <= LOADERS * WINDOW) {
            run(strcmp(kind, "put") == 0 ? 's' : kind[0], seconds, (int)count / LOADERS);
        } else if (sscanf(line, "values %lu", &count) == 1) {
            fillTarget('s', count);
        } else if (sscanf(line, "listeners %lu", &count) == 1) {
            fillTarget('l', count);
        } else if (sscanf(line, "ready %lu", &count) == 1) {
            unsigned long asked = 0;
            for (double end = now() + 20; now() < end && asked < count;) {
                rest(0.05);
                asked = 0;
                for (int index = 0; index < NODES; index++) asked += nodes[index].wasAsked;
            }
            rest(0.5);
            printf("{\"asked\": %lu}\n", asked);
        } else {
            return 0;
        }
        fflush(stdout);
    }
}
