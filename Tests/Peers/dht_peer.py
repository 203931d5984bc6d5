#!/usr/bin/env python3
"""A real OpenDHT node as a test peer, driven by JSON lines; for version 2.4.12 (Debian) as for 4.4.2 (PyPI).

    dht_peer.py [--port PORT] [--identity]

stdin, one object a line; keys and data are hexadecimal, value ids decimal text:
    {"id": 1, "do": "bootstrap", "host": "10.99.0.2", "port": 4222}
    {"id": 2, "do": "put", "key": …, "data": …, "user_type": "", "value": id or absent, "permanent": false,
     "signed": false, "to": 40 or 64 digits}      answers {"ok": …, "value": id}; all but plain puts need 4.4.2
    {"id": 3, "do": "get", "key": …, "where": "WHERE user_type=text"}   answers {"ok": …, "values": [value, …]}
    {"id": 4, "do": "listen", "key": …}           then {"event": "heard" | "expired", "key": …, value} as they come
    {"id": 5, "do": "lifetime", "type": 0, "seconds": 15}     how long this node keeps values of a type
    {"id": 6, "do": "look"}     answers {"counts": requests that came, by kind; "storage": text, "nodes": text}
stdout, one object a line:
    {"event": "ready", "port": …, "node": …, "key": 40 digits, "long_key": 64 digits}   {"id": 1, "result": …}   {"id": 2, "error": …}

The node ends with its input, however this program ends.
"""
import argparse
import json
import os
import socket
import sys
import threading
import time
from datetime import timedelta

import opendht as dht

lock = threading.Lock()
# Asking version 2.4.12 for the owner of a value without one ends the program; newer ones raise an error.
IS_NEW = hasattr(dht.DhtRunner, "putSigned")


def say(**fields):
    with lock:
        print(json.dumps(fields), flush=True)


def text(thing):
    return thing.decode() if isinstance(thing, bytes) else str(thing)


def owner_of(value):
    try:
        return text(value.owner.getId()) if IS_NEW else ""
    except (AttributeError, ValueError):
        return ""


def describe(value):
    return {"value": str(value.id), "data": bytes(value.data).hex(), "user_type": value.user_type, "owner": owner_of(value)}


class Peer:
    def __init__(self, port, has_identity):
        config = dht.DhtConfig()
        config.setRateLimit(-1, -1)
        key, long_key = "", ""
        if has_identity:
            identity = dht.Identity.generate("peer", bits=2048)
            config.setIdentity(identity)
            key = text(identity.publickey.getId())
            long_key = text(identity.publickey.getLongId()) if IS_NEW else ""
        self.node = dht.DhtRunner()
        self.node.run(port=port, config=config)
        bound = int(str(self.node.getBound()).rsplit(":", 1)[1])
        say(event="ready", port=bound, node=text(self.node.getNodeId()), key=key, long_key=long_key)
        self.kept, self.unfinished, self.last_callback = [], 0, 0.0

    def wait_until_idle(self):
        """Some calls wait for the library's lock while they hold Python's, and callbacks come the other way round."""
        until = time.monotonic() + 20
        while time.monotonic() < until and (self.unfinished > 0 or time.monotonic() - self.last_callback < 0.1):
            time.sleep(0.01)

    def finished(self):
        self.unfinished -= 1
        self.last_callback = time.monotonic()

    def bootstrap(self, reply, host, port):
        self.node.bootstrap(host, str(port))
        reply({})

    def put(self, reply, key, data, user_type="", value=None, permanent=False, signed=False, to=None):
        made = dht.Value(bytes.fromhex(data))
        made.user_type = user_type
        if value:
            made.id = int(value)

        def done(ok, _nodes):
            self.finished()
            reply({"ok": bool(ok), "value": str(made.id)})
        self.unfinished += 1
        options = {"permanent": True} if permanent else {}
        where = dht.InfoHash(key.encode())
        if to:
            kind = dht.PkId if len(to) == 64 else dht.InfoHash
            self.node.putEncrypted(where, made, kind(to.encode()), done, **options)
        elif signed:
            self.node.putSigned(where, made, done, **options)
        else:
            self.node.put(where, made, done, **options)

    def get(self, reply, key, where=""):
        found = []

        def got(value):
            found.append(describe(value))
            return True

        def done(ok, _nodes):
            self.finished()
            reply({"ok": bool(ok), "values": found})
        self.unfinished += 1
        self.node.get(dht.InfoHash(key.encode()), get_cb=got, done_cb=done, where=dht.Where(where))

    def listen(self, reply, key):
        def heard(value, expired):
            self.last_callback = time.monotonic()
            say(event="expired" if expired else "heard", key=key, **describe(value))
            return True
        self.kept.append(self.node.listen(dht.InfoHash(key.encode()), heard))
        reply({})

    def lifetime(self, reply, type, seconds):
        self.wait_until_idle()
        self.node.registerType(dht.ValueType(type, "short", timedelta(seconds=seconds)))
        reply({})

    def look(self, reply):
        self.wait_until_idle()
        counts = dict(zip(("ping", "find", "get", "put", "listen", "refresh"), self.node.getNodeMessageStats()))
        nodes = "".join(text(self.node.getRoutingTablesLog(family)) for family in (socket.AF_INET, socket.AF_INET6))
        reply({"counts": counts, "storage": text(self.node.getStorageLog()), "nodes": nodes})


def main():
    options = argparse.ArgumentParser(description="A real OpenDHT node, driven by JSON lines")
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--identity", action="store_true", help="have a key and publish its certificate")
    options = options.parse_args()
    peer = Peer(options.port, options.identity)
    actions = {name: getattr(peer, name) for name in ("bootstrap", "put", "get", "listen", "lifetime", "look")}
    for line in sys.stdin:
        request = {}

        def reply(result=None, error=None, number=None):
            say(id=number, **({"error": error} if error else {"result": result}))
        try:
            request = json.loads(line)
            number = request.pop("id", None)
            answer = (lambda number: lambda result: reply(result, number=number))(number)
            actions[request.pop("do")](answer, **request)
        except Exception as problem:  # one bad request must not end the peer
            reply(error=f"{type(problem).__name__}: {problem}", number=number)
    # The library waits for its threads when it is let go, which nobody has time for.
    os._exit(0)


if __name__ == "__main__":
    main()
