#!/usr/bin/python3
"""How long the first message takes: two Apus beside two real Jami daemons, on the same machine in the same run.

    Benchmarks/run [--messages N] [--pairs jami,apus]

Each pair gets a private network of its own (Tests/Peers/netlab.py) with a dhtnode as its first DHT node. Measured are
  new account        from asking for it to the device being announced on the DHT (medians of both sides)
  invitation seen    from inviting to the request being shown by the other side
  accept to ready    from accepting to the inviter holding the commit by which the other one joined
  message            from handing it over to the sender's daemon to the receiver's event, over an open connection,
                     alternating directions: p50 and p99
  memory, threads    of each daemon after the last message;  CPU: processor time of both daemons a message
Messages are handed over through each daemon's own interface, D-Bus and the control socket, so no process start counts.
Prints a table and writes results/first-message.json and .md beside this file.
Needs root and the packages that ./test installs.
"""
import argparse
import itertools
import json
import os
import pathlib
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
PEERS = HERE.parent / "Tests" / "Peers"
sys.path.insert(0, str(PEERS))
from netlab import NetLab  # noqa: E402

PLAIN = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


class Lines:
    """A child that writes one JSON object a line; every line is stamped when it arrives."""

    def __init__(self, argv, log):
        self.child = subprocess.Popen(argv, env=PLAIN, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=open(log, "ab"), text=True, bufsize=1)
        self.lines, self.changed = [], threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stdout:
            stamp = time.monotonic()
            try:
                value = json.loads(line)
            except ValueError:
                continue
            with self.changed:
                self.lines.append((stamp, value))
                self.changed.notify_all()

    def first(self, fits, what, seconds=90):
        """The first line that fits, with its time."""
        position, end = 0, time.monotonic() + seconds
        with self.changed:
            while True:
                while position < len(self.lines):
                    if fits(self.lines[position][1]):
                        return self.lines[position]
                    position += 1
                left = end - time.monotonic()
                if left <= 0:
                    raise RuntimeError(f"no {what} within {seconds} s")
                self.changed.wait(left)

    def say(self, value):
        self.child.stdin.write(json.dumps(value) + "\n")
        self.child.stdin.flush()

    def stop(self):
        try:
            self.child.stdin.close()
        except OSError:
            pass
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait(10)


def process_figures(pid):
    """Resident bytes, threads and processor seconds of a process."""
    status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return {"resident": int(status["VmRSS"].split()[0]) * 1024, "threads": int(status["Threads"]), "cpu": seconds}


class Jami:
    title = "jamid 20230206"

    def __init__(self, lab, host, bootstrap, folder):
        self.bootstrap, self.count = bootstrap, itertools.count(1)
        peer = [sys.executable, str(PEERS / "jamid_peer.py"), "--dir", str(folder / host.name)]
        self.lines = Lines(lab.command(host, peer), folder / f"{host.name}.log")
        self.lines.first(lambda line: line.get("event") == "ready", "jamid")

    def _ask(self, seconds=90, **request):
        number = next(self.count)
        self.lines.say({"id": number, **request})
        stamp, answer = self.lines.first(lambda line: line.get("id") == number, f"answer to {request}", seconds)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return stamp, answer["result"]

    def _call(self, method, *args):
        return self._ask(call=f"ConfigurationManager.{method}", args=list(args))[1]

    def _signal(self, name, fits, seconds=90):
        wanted = f"ConfigurationManager.{name}"
        return self.lines.first(lambda line: line.get("event") == wanted and fits(line["args"]), name, seconds)

    def new_account(self, alias):
        start = time.monotonic()
        stamp, account = self._ask(180, do="new_account", args={"bootstrap": self.bootstrap, "alias": alias})
        self.local, self.id = account["account"], account["uri"]
        return stamp - start

    def invite(self, other):
        self._call("sendTrustRequest", self.local, other.id, {"hex": ""})

    def request_seen(self, other):
        return self._signal("incomingTrustRequest", lambda args: args[2] == other.id)[0]

    def accept(self, other):
        self._call("acceptTrustRequest", self.local, other.id)
        self.conversation = self._signal("conversationReady", lambda args: args[0] == self.local)[1]["args"][1]

    def joined(self, other):
        stamp, event = self._signal("conversationMemberEvent", lambda args: args[2] == other.id and args[3] == 1)
        self.conversation = event["args"][1]
        return stamp

    def send(self, other, text):
        self._call("sendMessage", self.local, self.conversation, text, "", 0)

    def received(self, text):
        return self._signal("messageReceived", lambda args: args[2].get("body") == text)[0]

    def figures(self):
        return process_figures(self._ask(do="memory")[1]["pid"])

    def stop(self):
        self.lines.stop()


class Control:
    """A connection to the control socket: JSON-RPC 2.0, a line an object; events are stamped when they arrive."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.count, self.lines, self.changed = itertools.count(1), [], threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.socket.makefile("r", encoding="utf-8"):
            with self.changed:
                self.lines.append((time.monotonic(), json.loads(line)))
                self.changed.notify_all()

    first = Lines.first

    def start(self, method, **parameters):
        number = next(self.count)
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
        self.socket.sendall((json.dumps(request) + "\n").encode())
        return number

    def call(self, method, **parameters):
        number = self.start(method, **parameters)
        answer = self.first(lambda line: line.get("id") == number, f"answer to {method}")[1]
        if "error" in answer:
            raise RuntimeError(answer["error"]["message"])
        return answer["result"]

    def close(self):
        self.socket.close()


class Apus:
    title = "Apus"
    binary = None

    def __init__(self, lab, host, bootstrap, folder):
        self.folder, self.control, self.events = folder / host.name, None, None
        self.folder.mkdir()
        run = [self.binary, "daemon", "run", "--data", str(self.folder), "--bootstrap", bootstrap]
        with open(self.folder / "daemon.log", "ab") as log:
            self.daemon = lab.popen(host, run, env={**PLAIN, "HOME": str(self.folder)}, stdin=subprocess.DEVNULL,
                                    stdout=log, stderr=log)
        self._until(self._connect, "the daemon listens")

    def _connect(self):
        try:
            self.control = Control(self.folder / "rpc.sock")
        except OSError:
            return False
        return True

    def _until(self, ready, what, seconds=90):
        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end:
                raise RuntimeError(f"not within {seconds} s: {what}")
            time.sleep(0.005)

    def _contact(self, other):
        return next((c for c in self.control.call("contact.list") if c["id"] == other.id), {})

    def new_account(self, alias):
        start = time.monotonic()
        self.id = self.control.call("account.create", alias=alias)["id"]
        self._until(lambda: self.control.call("account.list")[0]["state"] == "online", "online")
        taken = time.monotonic() - start
        self.events = Control(self.folder / "rpc.sock")
        self.events.start("events.subscribe", since=0)
        return taken

    def invite(self, other):
        self.control.call("contact.add", id=other.id)

    def request_seen(self, other):
        self._until(lambda: self._contact(other).get("state") == "requested", "the request")
        return time.monotonic()

    def accept(self, other):
        self.control.call("contact.accept", id=other.id)
        self._until(lambda: self._contact(other).get("state") == "ready", "the clone")

    def joined(self, other):
        conversation = self._contact(other)["conversation"]

        def holds_join():
            history = self.control.call("conversation.history", conversation=conversation)
            return any(commit["type"] == "member" for commit in history)
        self._until(holds_join, "the join")
        return time.monotonic()

    def send(self, other, text):
        self.control.call("message.send", to=other.id, body=text)

    def received(self, text):
        def fits(line):
            message = line.get("params", {}).get("message") or {}
            return message.get("body") == text and message.get("direction") == "in"
        return self.events.first(fits, text)[0]

    def figures(self):
        return process_figures(self.daemon.pid)

    def stop(self):
        for connection in (self.control, self.events):
            if connection:
                connection.close()
        self.daemon.terminate()
        try:
            self.daemon.wait(15)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait(10)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def measure(kind, name, messages, folder):
    with NetLab(f"{name[:3]}{os.getpid()}") as lab:
        dht = lab.host("dht")
        lab.popen(dht, ["dhtnode", "-s", "-n", "0", "-p", "4222"], stdin=subprocess.DEVNULL,
                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        peers = []
        try:
            for host in ("a", "b"):
                peers.append(kind(lab, lab.host(host), f"{dht.address}:4222", folder))
            return talk(*peers, messages)
        finally:
            for peer in peers:
                peer.stop()


def talk(first, second, messages):
    accounts = [first.new_account("first"), second.new_account("second")]
    start = time.monotonic()
    first.invite(second)
    seen = second.request_seen(first) - start
    start = time.monotonic()
    second.accept(first)
    ready = first.joined(second) - start
    for number in range(4):  # the connections open
        sender, receiver = ((first, second), (second, first))[number % 2]
        sender.send(receiver, f"warm up {number}")
        receiver.received(f"warm up {number}")
    before = [peer.figures()["cpu"] for peer in (first, second)]
    latencies, handed_over = [], []
    for number in range(messages):
        sender, receiver = ((first, second), (second, first))[number % 2]
        start = time.monotonic()
        sender.send(receiver, f"message {number}")
        handed_over.append(time.monotonic() - start)
        latencies.append(receiver.received(f"message {number}") - start)
    after = [peer.figures() for peer in (first, second)]
    return {
        "peer": first.title,
        "new account s": round(statistics.median(accounts), 3),
        "invitation seen s": round(seen, 3),
        "accept to ready s": round(ready, 3),
        "message p50 ms": round(1000 * percentile(latencies, 0.50), 1),
        "message p99 ms": round(1000 * percentile(latencies, 0.99), 1),
        "handed over p50 ms": round(1000 * percentile(handed_over, 0.50), 1),
        "memory MB": round(statistics.mean(figures["resident"] for figures in after) / 1e6, 1),
        "threads": round(statistics.mean(figures["threads"] for figures in after)),
        "CPU ms a message": round(1000 * (sum(f["cpu"] for f in after) - sum(before)) / messages, 1),
    }


def table(results):
    lines = ["| | " + " | ".join(result["peer"] for result in results) + " |", "| --- |" + " ---: |" * len(results)]
    for row in list(results[0])[1:]:
        lines.append(f"| {row} | " + " | ".join(str(result[row]) for result in results) + " |")
    return "\n".join(lines)


def main():
    options = argparse.ArgumentParser(description="The first message: two Apus beside two real Jami daemons")
    options.add_argument("--messages", type=int, default=200)
    options.add_argument("--pairs", default="jami,apus", help="which pairs to measure, in this order")
    options.add_argument("--apus", help="the built command apus")
    options = options.parse_args()
    Apus.binary = options.apus
    results, folder = [], pathlib.Path(tempfile.mkdtemp(prefix="apus-bench-", dir="/tmp"))
    try:
        for name in options.pairs.split(","):
            print(f"measuring {name}", file=sys.stderr, flush=True)
            kind = {"jami": Jami, "apus": Apus}[name]
            (folder / name).mkdir()
            results.append(measure(kind, name, options.messages, folder / name))
    finally:
        if os.environ.get("APUS_KEEP_FOLDERS") != "1":
            shutil.rmtree(folder, ignore_errors=True)
    machine = f"{platform.machine()}, {os.cpu_count()} processors, Linux {platform.release().split('-')[0]}"
    note = f"{options.messages} messages, alternating; {machine}."
    print(table(results), note, sep="\n\n")
    out = HERE / "results"
    out.mkdir(exist_ok=True)
    (out / "first-message.json").write_text(json.dumps({"note": note, "results": results}, indent=2) + "\n")
    (out / "first-message.md").write_text(f"# The first message\n\n{table(results)}\n\n{note}\n")


if __name__ == "__main__":
    main()
