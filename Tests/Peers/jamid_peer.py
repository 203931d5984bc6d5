#!/usr/bin/python3
"""A real Jami daemon as a test peer, driven by JSON lines.

Starts a private D-Bus session and Debian's jamid (20230206) in a folder of its own, in the network namespace that this
program was started in:

    ip netns exec NAMESPACE ./jamid_peer.py --dir DIR [--log]

stdin, one object a line:
    {"id": 1, "call": "ConfigurationManager.getAccountList", "args": []}       any D-Bus method of jamid
    {"id": 2, "do": "new_account", "args": {"bootstrap": "10.99.0.2:4222", "alias": "carol"}}
    {"id": 3, "do": "announced", "args": {"account": ID}}       answers when the account's device is announced
    {"id": 4, "do": "wait", "args": {"event": "ConfigurationManager.messageReceived", "match": {"2.body": "hi"},
                                     "seconds": 30}}
    {"id": 5, "do": "memory"}       {"id": 6, "do": "crash"}       {"id": 7, "do": "quit"}
stdout, one object a line:
    {"id": 1, "result": …}   {"id": 2, "error": "sentence"}
    {"event": "Manager.signal", "args": […], "at": seconds since 1970}

new_account answers {"account": id, "uri": 40 hex, "device": 64 hex} once the device is announced on the DHT. wait looks
at past and future events; "match" maps a path into args (dots) to the text that it must equal. memory answers the
daemon's resident bytes; crash kills it without a goodbye. Byte arrays are given and returned as {"hex": "…"}.
The state in DIR is kept, so that a second start is the same peer again.

The daemon and its D-Bus end with this program, however it ends.
Needs Debian's jami-daemon, dbus-daemon, python3-dbus, python3-gi and a C compiler for the shim beside this file.
Pitfalls: IPv6 must be off in the namespace unless the shim is loaded; a default route must exist; loopback is never an
ICE candidate; the default name and TURN servers are public ones, so both are always set or disabled here.
"""
import argparse
import ctypes
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import dbus
import dbus.bus
import dbus.mainloop.glib
from gi.repository import GLib

BUS_NAME = "cx.ring.Ring"
MANAGERS = ("ConfigurationManager", "CallManager", "PresenceManager", "VideoManager", "Instance")
DAEMON = "/usr/libexec/jamid"
HERE = pathlib.Path(__file__).resolve().parent

# Nothing outside the private network is ever asked.
ACCOUNT_DEFAULTS = {
    "Account.type": "RING", "TURN.enable": "false", "Account.upnpEnabled": "false", "Account.proxyEnabled": "false",
    "Account.peerDiscovery": "false", "Account.accountDiscovery": "false", "Account.accountPublish": "false",
}


def plain(value):
    """A D-Bus value as JSON knows it."""
    if isinstance(value, dbus.ByteArray):
        return {"hex": bytes(value).hex()}
    if isinstance(value, dict):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        if isinstance(value, dbus.Array) and value.signature == "y":
            return {"hex": bytes(int(byte) for byte in value).hex()}
        return [plain(item) for item in value]
    if isinstance(value, dbus.Boolean):
        return bool(value)
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    return value


def native(value):
    """A JSON value as D-Bus knows it."""
    if isinstance(value, dict) and set(value) == {"hex"}:
        return dbus.ByteArray(bytes.fromhex(value["hex"]))
    if isinstance(value, dict):
        return dbus.Dictionary({key: native(item) for key, item in value.items()}, signature=None if value else "ss")
    return [native(item) for item in value] if isinstance(value, list) else value


def dig(value, path):
    for key in path.split("."):
        try:
            value = value[int(key)] if isinstance(value, list) else value[key]
        except (KeyError, IndexError, ValueError, TypeError):
            return None
    return value


def die_with_parent():
    """Asks the kernel to kill the child when this program is gone, even by SIGKILL."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def emit(**members):
    print(json.dumps(members), flush=True)


class Peer:
    def __init__(self, folder, log):
        self.folder = pathlib.Path(folder).absolute()
        for name in ("config", "data", "cache", "runtime", "home"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "runtime").chmod(0o700)
        (self.folder / "bus").unlink(missing_ok=True)
        self.events, self.waiting, self.children = [], [], []
        try:
            self._start_all(log)
        except BaseException:
            self.quit()
            raise

    def _start_all(self, log):
        address = f"unix:path={self.folder}/bus"
        session = ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={address}"]
        self._start(session, "dbus.log", {})
        self._until((self.folder / "bus").exists, "the private D-Bus session did not start")
        folders = {"CONFIG_HOME": "config", "DATA_HOME": "data", "CACHE_HOME": "cache", "RUNTIME_DIR": "runtime"}
        self.daemon = self._start([DAEMON, "-c", "-p", *(["-d"] if log else [])], "jamid.log", {
            "HOME": str(self.folder / "home"), "DBUS_SESSION_BUS_ADDRESS": address, "LD_PRELOAD": self._shim(),
            **{f"XDG_{name}": str(self.folder / path) for name, path in folders.items()}})
        self.bus = dbus.bus.BusConnection(address, mainloop=dbus.mainloop.glib.DBusGMainLoop())
        self.bus.add_signal_receiver(self._on_signal, dbus_interface=None, path_keyword="path", member_keyword="member",
                                     interface_keyword="interface")
        self._until(lambda: self.bus.name_has_owner(BUS_NAME), "jamid did not take its D-Bus name")
        self.managers = {
            name: dbus.Interface(self.bus.get_object(BUS_NAME, f"/cx/ring/Ring/{name}"), f"{BUS_NAME}.{name}")
            for name in MANAGERS}

    def _shim(self):
        built = self.folder / "netlink_done_shim.so"
        if not built.exists():
            compiler = ["cc", "-shared", "-fPIC", "-O2", "-o", built, HERE / "netlink_done_shim.c", "-ldl"]
            subprocess.run(compiler, check=True, timeout=60)
        return str(built)

    def _start(self, argv, log, environment):
        base = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "USER": "peer", "SDL_AUDIODRIVER": "dummy"}
        with open(self.folder / log, "ab") as out:
            child = subprocess.Popen(argv, env={**base, **environment}, stdin=subprocess.DEVNULL, stdout=out,
                                     stderr=out, preexec_fn=die_with_parent)
        self.children.append(child)
        return child

    def _until(self, ready, otherwise, seconds=60):
        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end or any(child.poll() is not None for child in self.children):
                raise RuntimeError(otherwise)
            time.sleep(0.02)

    def _on_signal(self, *args, member=None, interface=None, path=None):
        if not (path or "").startswith("/cx/ring/Ring"):
            return
        event = {"event": f"{interface.rsplit('.', 1)[-1]}.{member}", "args": plain(list(args)),
                 "at": round(time.time(), 4)}
        self.events.append(event)
        emit(**event)
        self.waiting = [wants for wants in self.waiting if not wants(event)]

    def call(self, name, args):
        manager, method = name.split(".")
        function = getattr(self.managers[manager], method)
        return plain(function(*[native(item) for item in args], byte_arrays=True, timeout=60))

    def new_account(self, reply, bootstrap, alias="", name_server="http://127.0.0.1:9", details=None):
        wanted = {**ACCOUNT_DEFAULTS, "Account.hostname": bootstrap, "RingNS.uri": name_server,
                  "Account.alias": alias, "Account.displayName": alias, **(details or {})}
        self.announced(reply, self.call("ConfigurationManager.addAccount", [wanted]))

    def announced(self, reply, account):
        def fits(event):
            if event["event"] != "ConfigurationManager.volatileAccountDetailsChanged" or event["args"][0] != account:
                return False
            return answers(event["args"][1])

        def answers(volatile):
            # The list of known devices holds the account's other devices too: only these details say which one it is.
            device = volatile.get("Account.deviceID")
            if volatile.get("Account.deviceAnnounced") != "true" or not device:
                return False
            username = self.call("ConfigurationManager.getAccountDetails", [account])["Account.username"]
            reply({"account": account, "uri": username.removeprefix("ring:"), "device": device})
            return True

        if not answers(self.call("ConfigurationManager.getVolatileAccountDetails", [account])):
            self.waiting.append(fits)

    def wait(self, reply, event, match=None, seconds=30):
        def fits(candidate):
            if candidate["event"] != event:
                return False
            if any(str(dig(candidate["args"], path)) != text for path, text in (match or {}).items()):
                return False
            reply(candidate)
            return True

        if any(fits(past) for past in self.events):
            return
        self.waiting.append(fits)

        def too_late():
            if fits in self.waiting:
                self.waiting.remove(fits)
                reply(error=f"no {event} that fits {match} within {seconds} s")
        GLib.timeout_add(int(seconds * 1000), too_late)

    def memory(self, reply):
        with open(f"/proc/{self.daemon.pid}/status", encoding="ascii") as status:
            kibibytes = next(line.split()[1] for line in status if line.startswith("VmRSS:"))
        reply({"resident": int(kibibytes) * 1024, "pid": self.daemon.pid})

    def crash(self, reply):
        self.daemon.kill()
        self.daemon.wait(10)
        reply({})

    def quit(self):
        for child in reversed(self.children):
            child.terminate()
            try:
                child.wait(6)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(6)


def main():
    options = argparse.ArgumentParser(description="Debian's jamid as a test peer, driven by JSON lines")
    options.add_argument("--dir", required=True, help="folder of the peer's state; kept, so a restart is the same peer")
    options.add_argument("--log", action="store_true", help="verbose jamid.log in that folder")
    options = options.parse_args()
    loop = GLib.MainLoop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, loop.quit)
    peer = Peer(options.dir, options.log)

    def handle(line):
        request = {}

        def reply(result=None, error=None):
            emit(id=request.get("id"), **({"error": error} if error else {"result": result}))
        try:
            request = json.loads(line)
            if request.get("do") == "quit":
                loop.quit()
            elif "do" in request:
                actions = {"new_account": peer.new_account, "announced": peer.announced, "wait": peer.wait,
                           "memory": peer.memory, "crash": peer.crash}
                actions[request["do"]](reply, **request.get("args", {}))
            else:
                reply(peer.call(request["call"], request.get("args", [])))
        except Exception as problem:  # one bad request must not end the peer
            reply(error=f"{type(problem).__name__}: {problem}")

    pending = bytearray()

    def on_input(_channel, _condition):
        received = os.read(sys.stdin.fileno(), 65536)
        if not received:
            loop.quit()
            return False
        pending.extend(received)
        *lines, rest = pending.split(b"\n")
        pending[:] = rest
        for line in lines:
            handle(line)
        return True

    GLib.io_add_watch(sys.stdin.fileno(), GLib.IO_IN | GLib.IO_HUP, on_input)
    try:
        emit(event="ready")
        loop.run()
    except BrokenPipeError:
        pass
    finally:
        peer.quit()


if __name__ == "__main__":
    main()
