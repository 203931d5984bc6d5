// OpenDHT's side of the DHT benchmarks. See dht.py; Sources/DHTBench is the same for Apus.
#include <opendht.h>

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <iostream>
#include <mutex>
#include <sstream>

using namespace dht;
using Clock = std::chrono::steady_clock;

static double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

static DhtRunner::Config unlimited() {
    DhtRunner::Config config;
    config.dht_config.node_config.max_req_per_sec = -1;
    config.dht_config.node_config.max_peer_req_per_sec = -1;
    config.dht_config.node_config.max_store_size = 64 << 20;
    config.threaded = true;
    return config;
}

static SockAddr loopback(in_port_t port) {
    SockAddr address;
    address.setFamily(AF_INET);
    address.setAddress("127.0.0.1");
    address.setPort(port);
    return address;
}

// A node that does what it is told on its standard input.
static int node() {
    DhtRunner runner;
    auto config = unlimited();
    runner.run(0, config);
    printf("{\"port\": %d}\n", runner.getBoundPort());
    fflush(stdout);
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        std::string command;
        words >> command;
        if (command == "bootstrap") {
            std::vector<SockAddr> addresses;
            for (unsigned port; words >> port;) addresses.push_back(loopback(port));
            runner.bootstrap(std::move(addresses));
        } else if (command == "listen") {
            unsigned count = 0;
            words >> count;
            for (unsigned index = 0; index < count; index++)
                runner.listen(InfoHash::get(std::to_string(index)), [](const std::vector<Sp<Value>>&, bool) { return true; });
        } else {
            break;
        }
        printf("{}\n");
        fflush(stdout);
    }
    runner.join();
    return 0;
}

// Round trips: one side puts a number, the other hears it and puts it at another key, where the first side hears it.
static int pingpong(unsigned count, unsigned flight, unsigned rounds) {
    std::vector<std::unique_ptr<DhtRunner>> nodes;
    for (unsigned index = 0; index < count; index++) {
        nodes.push_back(std::make_unique<DhtRunner>());
        auto config = unlimited();
        nodes.back()->run(0, config);
        if (index > 0) nodes.back()->bootstrap(loopback(nodes[0]->getBoundPort()));
    }
    auto& ping = *nodes[0];
    auto& pong = *nodes[count - 1];
    for (auto& node : nodes)
        while (node->getNodesStats(AF_INET).good_nodes == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    std::this_thread::sleep_for(std::chrono::seconds(1));

    auto there = InfoHash::get("there"), back = InfoHash::get("back");
    std::mutex lock;
    std::condition_variable changed;
    unsigned started = 0, finished = 0;
    bool isWarm = false;
    auto number = [](const Sp<Value>& value) { return unpackMsg<unsigned>(value->data); };
    pong.listen(there, [&](const std::vector<Sp<Value>>& values, bool expired) {
        if (!expired)
            for (auto& value : values) pong.put(back, Value(ValueType::USER_DATA.id, packMsg(number(value))));
        return true;
    });
    ping.listen(back, [&](const std::vector<Sp<Value>>& values, bool expired) {
        if (expired) return true;
        for (size_t index = 0; index < values.size(); index++) {
            std::unique_lock<std::mutex> guard(lock);
            finished++;
            if (isWarm && started < rounds) {
                auto next = started++;
                guard.unlock();
                ping.put(there, Value(ValueType::USER_DATA.id, packMsg(next)));
            }
            changed.notify_all();
        }
        return true;
    });
    // The first one finds the ways.
    ping.put(there, Value(ValueType::USER_DATA.id, packMsg(1u << 20)));
    {
        std::unique_lock<std::mutex> guard(lock);
        if (!changed.wait_for(guard, std::chrono::seconds(60), [&] { return finished == 1; })) return 1;
        finished = 0;
        isWarm = true;
        started = flight;
    }
    std::this_thread::sleep_for(std::chrono::seconds(1));
    auto begin = Clock::now();
    for (unsigned index = 0; index < flight; index++)
        ping.put(there, Value(ValueType::USER_DATA.id, packMsg(index)));
    {
        std::unique_lock<std::mutex> guard(lock);
        if (!changed.wait_for(guard, std::chrono::seconds(120), [&] { return finished >= rounds; })) {
            fprintf(stderr, "only %u of %u\n", finished, rounds);
            return 1;
        }
    }
    printf("{\"seconds\": %.6f, \"rounds\": %u}\n", seconds(Clock::now() - begin), rounds);
    fflush(stdout);
    _exit(0);
}

// How often in a second of processor time.
template <typename Work> static double rate(double duration, Work work) {
    auto processor = [] {
        rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
    };
    work();
    auto begin = processor();
    unsigned done = 0;
    double spent = 0;
    do {
        if (!work()) abort();
        done++;
        spent = processor() - begin;
    } while (spent < duration);
    return done / spent;
}

static int cryptography(double duration) {
    auto identity = crypto::generateIdentity("signer", {}, 4096);
    auto reader = crypto::generateIdentity("reader", {}, 4096);
    auto& key = *identity.first;
    auto& readerKey = *reader.first;
    auto publicKey = readerKey.getSharedPublicKey();
    std::vector<uint8_t> data(256, 7);
    auto make = [&] {
        Value value(ValueType::USER_DATA.id, Blob(data));
        value.id = 1;
        return value;
    };
    auto signedValue = make();
    signedValue.sign(key);
    auto packedSigned = signedValue.getPacked();
    auto toSeal = make();
    auto packedSealed = toSeal.encrypt(key, *publicKey).getPacked();

    printf("{\"sign\": %.2f, ", rate(duration, [&] {
               auto value = make();
               value.sign(key);
               return !value.getPacked().empty();
           }));
    printf("\"verify\": %.2f, ", rate(duration, [&] {
               auto handle = msgpack::unpack((const char*)packedSigned.data(), packedSigned.size());
               return Value(handle.get()).checkSignature();
           }));
    printf("\"encrypt\": %.2f, ", rate(duration, [&] {
               auto value = make();
               return !value.encrypt(key, *publicKey).getPacked().empty();
           }));
    printf("\"decrypt\": %.2f}\n", rate(duration, [&] {
               auto handle = msgpack::unpack((const char*)packedSealed.data(), packedSealed.size());
               return Value(handle.get()).decrypt(readerKey)->data == data;
           }));
    return 0;
}

int main(int argc, char** argv) {
    std::string mode = argc > 1 ? argv[1] : "";
    if (mode == "node") return node();
    if (mode == "pingpong" && argc == 5) return pingpong(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
    if (mode == "crypto" && argc == 3) return cryptography(atof(argv[2]));
    return 2;
}
