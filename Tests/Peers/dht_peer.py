#!/usr/bin/env python3
"""An OpenDHT node that takes commands and gives answers as lines of JSON.

Commands: {"do": "bootstrap", "port": 1}, {"do": "put" | "put_signed" | "put_encrypted", "key": hex, "data": hex, "to": hex},
{"do": "get", "key": hex}, {"do": "listen", "key": hex}. Keys are 40 hexadecimal digits.
"""
import json
import sys
import threading

import opendht as dht

lock = threading.Lock()


def say(**fields):
    with lock:
        print(json.dumps(fields), flush=True)


def text(thing):
    result = thing.decode() if isinstance(thing, bytes) else str(thing)
    return result


def owner_of(value):
    # Asking version 2.4.12 for the owner of a value without one ends the program; newer ones raise an error.
    if not hasattr(dht.DhtRunner, "putSigned"):
        return ""
    try:
        return text(value.owner.getId())
    except (AttributeError, ValueError):
        return ""


def describe(value):
    return {
        "id": str(value.id),
        "data": bytes(value.data).hex(),
        "type": getattr(value, "user_type", ""),
        "owner": owner_of(value),
    }


def main():
    config = dht.DhtConfig()
    identity = dht.Identity.generate("peer", bits=2048)
    config.setIdentity(identity)
    config.setRateLimit(-1, -1)
    node = dht.DhtRunner()
    node.run(port=0, config=config)
    say(event="ready", port=int(str(node.getBound()).rsplit(":", 1)[1]), key=text(identity.publickey.getId()))
    tokens = []

    for line in sys.stdin:
        command = json.loads(line)
        do = command["do"]
        key = dht.InfoHash(command["key"].encode()) if "key" in command else None
        if do == "bootstrap":
            node.bootstrap("127.0.0.1", str(command["port"]))
        elif do == "get":
            def got(value):
                say(event="value", **describe(value))
                return True
            node.get(key, get_cb=got, done_cb=lambda ok, nodes: say(event="got", ok=bool(ok)))
        elif do == "listen":
            def heard(value, expired):
                say(event="expired" if expired else "heard", **describe(value))
                return True
            tokens.append(node.listen(key, heard))
            say(event="listening")
        else:
            value = dht.Value(bytes.fromhex(command["data"]))
            def done(ok, nodes):
                say(event="put", ok=bool(ok), id=str(value.id))
            if do == "put":
                node.put(key, value, done)
            elif do == "put_signed":
                node.putSigned(key, value, done)
            elif do == "put_encrypted":
                node.putEncrypted(key, value, dht.InfoHash(command["to"].encode()), done)
    node.join()


if __name__ == "__main__":
    main()
