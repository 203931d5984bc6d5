#!/usr/bin/python3
"""Small internets in network namespaces: hosts on a WAN, and hosts behind NAT routers.

As a module:

    with NetLab("t1") as lab:                   # every namespace of this lab is named t1-…
        dht = lab.host("dht")                   # 10.99.0.2 on the WAN
        home = lab.nat("home", kind="cone")     # a router on the WAN with a LAN behind it
        alice = lab.host("alice", behind=home)  # 192.168.N.2, default route through the router
        lab.run(alice, ["ping", "-c1", dht.address])

As a program, for other languages: one JSON object a line on stdin, one answer a line on stdout, everything removed at
the end of stdin or on a signal:

    netlab.py --prefix t1
    {"id": 1, "do": "host", "name": "alice"}    answers {"id": 1, "result": {"namespace": …, "address": …, "address6": …}}
    {"id": 2, "do": "nat", "name": "home", "kind": "cone"}  {"id": 3, "do": "host", "name": "bob", "behind": "home"}
    {"id": 4, "do": "loss", "name": "alice", "percent": 5}  {"id": 5, "do": "link", "name": "alice", "up": false}
    {"id": 6, "do": "rate", "name": "alice", "rate": "10mbit"}

NAT kinds: "cone" keeps the source port (endpoint-independent mapping, port-restricted filtering), "symmetric" takes a
random port for every destination, "no-udp" is "cone" without UDP, "open" routes without translation or filtering.
With --ipv6 every host on the WAN has an address of both families; "families": "4" or "6" gives it one alone.
Needs root, iproute2 and nftables. Loss is an nftables rule and bandwidth a token bucket: not every kernel has netem.
Closing a lab kills what still runs inside its own namespaces, deletes them, and touches nothing else.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass


def sh(*args, check=True):
    done = subprocess.run(args, capture_output=True, text=True, timeout=30)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(args)}: {done.stderr.strip()}")
    return done


@dataclass
class Host:
    name: str  # the namespace
    address: str  # empty on a host with IPv6 alone
    address6: str = ""
    interface: str = "eth0"
    router: "Host | None" = None
    lan: str = ""  # for a router: the first three bytes of the prefix behind it
    used: int = 1


class NetLab:
    def __init__(self, prefix, ipv6=False):
        self.prefix, self.ipv6 = prefix, ipv6
        self.namespaces, self.cables, self.lans, self.wan_used = [], 0, 0, 1
        try:
            self.wan = self._namespace("wan")
            sh("ip", "-n", self.wan, "link", "add", "br0", "type", "bridge")
            sh("ip", "-n", self.wan, "addr", "add", "10.99.0.1/16", "dev", "br0")
            if ipv6:
                sh("ip", "-n", self.wan, "addr", "add", "fd99::1/64", "dev", "br0", "nodad")
            sh("ip", "-n", self.wan, "link", "set", "br0", "up")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _namespace(self, name):
        namespace = f"{self.prefix}-{name}"
        sh("ip", "netns", "add", namespace)
        self.namespaces.append(namespace)
        sh("ip", "-n", namespace, "link", "set", "lo", "up")
        if not self.ipv6:
            for key in ("all", "default", "lo"):
                path = f"net.ipv6.conf.{key}.disable_ipv6=1"
                sh("ip", "netns", "exec", namespace, "sysctl", "-qw", path, check=False)
        return namespace

    def _cable(self, namespace, bridge_namespace, bridge):
        """A virtual cable from eth0 of one namespace to a bridge in another; made inside, so no name can clash."""
        self.cables += 1
        port = f"p{self.cables}"
        sh("ip", "-n", bridge_namespace, "link", "add", port, "type", "veth",
           "peer", "name", "eth0", "netns", namespace)
        sh("ip", "-n", bridge_namespace, "link", "set", port, "master", bridge, "up")
        sh("ip", "-n", namespace, "link", "set", "eth0", "up")

    def host(self, name, behind=None, families="46"):
        namespace = self._namespace(name)
        if behind is None:
            self.wan_used += 1
            address, width = f"10.99.{self.wan_used // 256}.{self.wan_used % 256}", 16
            self._cable(namespace, self.wan, "br0")
        else:
            behind.used += 1
            address, width = f"{behind.lan}.{behind.used}", 24
            self._cable(namespace, behind.name, "lan0")
        host = Host(namespace, address if "4" in families else "", router=behind)
        if host.address:
            sh("ip", "-n", namespace, "addr", "add", f"{address}/{width}", "dev", "eth0")
            sh("ip", "-n", namespace, "route", "add", "default", "via", self._gateway(host))
        if self.ipv6 and behind is None and "6" in families:
            host.address6 = f"fd99::{self.wan_used:x}"
            sh("ip", "-n", namespace, "addr", "add", f"{host.address6}/64", "dev", "eth0", "nodad")
            sh("ip", "-n", namespace, "-6", "route", "add", "default", "via", "fd99::1")
        return host

    def _gateway(self, host):
        return "10.99.0.1" if host.router is None else f"{host.router.lan}.1"

    def nat(self, name, kind="cone"):
        router = self.host(name)
        self.lans += 1
        router.lan = f"192.168.{self.lans}"
        sh("ip", "-n", router.name, "link", "add", "lan0", "type", "bridge")
        sh("ip", "-n", router.name, "addr", "add", f"{router.lan}.1/24", "dev", "lan0")
        sh("ip", "-n", router.name, "link", "set", "lan0", "up")
        sh("ip", "netns", "exec", router.name, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        if kind != "open":
            translation = "masquerade fully-random" if kind == "symmetric" else "masquerade"
            self._nft(router, f"""
                add table ip nat
                add chain ip nat post {{ type nat hook postrouting priority 100; }}
                add rule ip nat post oifname "eth0" {translation}
                add table ip filter
                add chain ip filter forward {{ type filter hook forward priority 0; policy drop; }}
                {'add rule ip filter forward meta l4proto udp drop' if kind == 'no-udp' else ''}
                add rule ip filter forward iifname "lan0" accept
                add rule ip filter forward ct state established,related accept""")
        return router

    def _nft(self, host, rules):
        lines = "\n".join(line.strip() for line in rules.splitlines())
        subprocess.run(self.command(host, ["nft", "-f", "-"]), input=lines, text=True, check=True, timeout=30)

    def loss(self, host, percent):
        """Drops this share of what reaches the host; zero ends the loss."""
        sh("ip", "netns", "exec", host.name, "nft", "delete", "table", "ip", "impair", check=False)
        if percent:
            self._nft(host, f"""
                add table ip impair
                add chain ip impair in {{ type filter hook prerouting priority -300; }}
                add rule ip impair in numgen random mod 1000 < {int(percent * 10)} drop""")

    def rate(self, host, rate):
        sh("ip", "netns", "exec", host.name, "tc", "qdisc", "replace", "dev", host.interface, "root", "tbf",
           "rate", rate, "burst", "64kbit", "latency", "200ms")

    def link(self, host, up):
        """Pulls or plugs the host's cable; routes come back with it."""
        sh("ip", "-n", host.name, "link", "set", host.interface, "up" if up else "down")
        if up:
            sh("ip", "-n", host.name, "route", "replace", "default", "via", self._gateway(host))

    def command(self, host, argv):
        return ["ip", "netns", "exec", host.name, *argv]

    def run(self, host, argv, **options):
        return subprocess.run(self.command(host, argv), **options)

    def popen(self, host, argv, **options):
        return subprocess.Popen(self.command(host, argv), **options)

    def close(self):
        for namespace in reversed(self.namespaces):
            for pid in sh("ip", "netns", "pids", namespace, check=False).stdout.split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except (ProcessLookupError, ValueError):
                    pass
            sh("ip", "netns", "del", namespace, check=False)
        self.namespaces = []


class Leave(Exception):
    """A signal asked the program to end."""


def leave(*_):
    raise Leave


def serve(prefix, ipv6):
    """Answers requests until stdin ends; the lab is gone afterwards, however this ends."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, leave)
    lab = None
    try:
        lab, hosts = NetLab(prefix, ipv6), {}
        print(json.dumps({"event": "ready"}), flush=True)
        for line in sys.stdin:
            request = {}
            try:
                request = json.loads(line)
                result = answer(lab, hosts, **{key: value for key, value in request.items() if key != "id"})
                reply = {"id": request.get("id"), "result": result}
            except Leave:
                raise
            except Exception as problem:
                reply = {"id": request.get("id"), "error": f"{type(problem).__name__}: {problem}"}
            print(json.dumps(reply), flush=True)
    except (Leave, BrokenPipeError):
        pass
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if lab is not None:
            lab.close()


def answer(lab, hosts, do, name, behind=None, kind="cone", percent=0, rate="10mbit", up=True, families="46"):
    if do in ("host", "nat"):
        behind = hosts[behind] if behind else None
        made = lab.host(name, behind, families) if do == "host" else lab.nat(name, kind)
        hosts[name] = made
        return {"namespace": made.name, "address": made.address, "address6": made.address6}
    if do == "loss":
        lab.loss(hosts[name], percent)
    elif do == "rate":
        lab.rate(hosts[name], rate)
    elif do == "link":
        lab.link(hosts[name], up)
    else:
        raise ValueError(f"unknown request {do}")
    return {}


def check():
    """Two hosts behind routers reach a host on the WAN and not each other."""
    with NetLab(f"lab{os.getpid()}") as lab:
        server = lab.host("server")
        first = lab.host("a", behind=lab.nat("r1"))
        second = lab.host("b", behind=lab.nat("r2", kind="symmetric"))
        for host in (server, first, second):
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            lab.popen(host, [sys.executable, "-m", "http.server", "8000"], **quiet)

        def reaches(host, address):
            dial = "import socket, sys; socket.create_connection((sys.argv[1], 8000), timeout=3)"
            attempt = [sys.executable, "-c", dial, address]
            return lab.run(host, attempt, stderr=subprocess.DEVNULL, timeout=30).returncode == 0

        until = time.monotonic() + 10
        while not reaches(server, server.address) and time.monotonic() < until:
            time.sleep(0.1)
        reached, crossed = [reaches(host, server.address) for host in (first, second)], reaches(first, second.address)
    print("reach the WAN:", reached, "reach each other:", crossed)
    return 0 if all(reached) and not crossed else 1


if __name__ == "__main__":
    options = argparse.ArgumentParser(description="Small internets in network namespaces")
    options.add_argument("--prefix", help="serve JSON lines; every namespace gets this name and a dash in front")
    options.add_argument("--ipv6", action="store_true", help="leave IPv6 on")
    options = options.parse_args()
    sys.exit(serve(options.prefix, options.ipv6) if options.prefix else check())
