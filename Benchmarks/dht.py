#!/usr/bin/python3
"""The DHT of Apus beside OpenDHT: the same work, on the same machine, in the same run, in turns.

    Benchmarks/run dht [--only answers,trips,memory,values] [--rounds N] [--seconds N] [--flight N]

  answers  requests that one node answers in a second of its processor time, rate limits off on both sides: ping, find, get
           and put. One generator (Peers/dht_load.c) keeps 128 requests from eight of its 64 nodes in flight.
  trips    put to listen and back, what OpenDHT's perftest measures: 2 and 16 nodes, 1 and 16 trips in flight
  memory   resident memory of a node that knows 64 others: idle, with 10,000 values of 100 bytes that others put, with
           1,000 listeners of others, and with 1,000 listeners of its own; and how much of it is no mapped file (libraries)
  values   how often values are signed, verified, sealed and opened in a second of processor time, RSA with 4096 bits
Each figure is the median of N rounds (3), in each of which both sides take their turn.
Prints tables and writes results/dht.json and .md beside this file.
Needs g++ and the package libopendht-dev.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SIDES = ("opendht", "apus")


class Talker:
    """A child that answers each line with one line of JSON."""

    def __init__(self, *argv):
        argv = [str(word) for word in argv]
        self.child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.child.pid
        self.greeting = self.hear()

    def hear(self):
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.child.args[0]} ended")
        return json.loads(line)

    def ask(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        return self.hear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()


def once(*argv):
    done = subprocess.run([str(word) for word in argv], stdout=subprocess.PIPE, text=True, timeout=300, check=True)
    return json.loads(done.stdout.splitlines()[-1])


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.load = folder / "dht_load"
        self.programs = {"apus": options.apus, "opendht": folder / "opendht_bench"}
        subprocess.run(["g++", "-x", "c", "-O2", "-o", self.load, HERE / "Peers/dht_load.c"], check=True)
        subprocess.run(["g++", "-O2", "-std=c++17", "-o", self.programs["opendht"], HERE / "Peers/opendht_bench.cpp",
                        "-lopendht", "-lgnutls"], check=True)
        self.figures = {}

    def note(self, part, what, side, figure):
        self.figures.setdefault(part, {}).setdefault(what, {}).setdefault(side, []).append(figure)
        print(f"   {side:8} {what}: {figure:.6g}", file=sys.stderr, flush=True)

    def connected(self, node):
        """A generator whose nodes the node knows."""
        generator = Talker(self.load, node.pid, node.greeting["port"])
        node.ask("bootstrap " + " ".join(map(str, generator.greeting["ports"])))
        generator.ask("ready 24")
        return generator

    def answers(self, side):
        with Talker(self.programs[side], "node") as node, self.connected(node) as generator:
            for kind in ("ping", "find", "get", "put"):
                result = generator.ask(f"run {kind} {self.options.seconds} {self.options.flight}")
                if result["failed"] or result["lost"] > result["answered"] / 100:
                    print(f"   {side}: {result}", file=sys.stderr)
                self.note("answers", kind, side, result["answered"] / result["processor"])

    def trips(self, side):
        for nodes in (2, 16):
            for flight in (1, 16):
                result = once(self.programs[side], "pingpong", nodes, flight, 512)
                self.note("trips", f"{nodes} nodes, {flight} in flight", side, 1000 * result["seconds"] / result["rounds"])

    def resident(self, pid, field):
        for line in open(f"/proc/{pid}/status"):
            if line.startswith(field):
                return int(line.split()[1]) / 1024

    def memory(self, side):
        def measure(what, command, own=False):
            with Talker(self.programs[side], "node") as node, self.connected(node) as generator:
                if command:
                    result = (node if own else generator).ask(command)
                    if not own and (result["failed"] or result["answered"] < int(command.split()[1])):
                        print(f"   {side} {command}: {result}", file=sys.stderr)
                    if own:
                        generator.ask("ready 24")
                self.note("memory", what, side, self.resident(node.pid, "VmRSS:"))
                self.note("memory", f"{what}, without files", side, self.resident(node.pid, "RssAnon:"))

        measure("idle", None)
        measure("10,000 values", "values 10000")
        measure("1,000 listeners of others", "listeners 1000")
        measure("1,000 listeners of its own", "listen 1000", own=True)

    def values(self, side):
        for what, figure in once(self.programs[side], "crypto", self.options.seconds).items():
            self.note("values", what, side, figure)

    def run(self):
        for number in range(self.options.rounds):
            for part in self.options.only:
                print(f"==> {part}, round {number + 1}", file=sys.stderr, flush=True)
                for side in SIDES:
                    getattr(self, part)(side)


# What is measured, its unit, and which ratio of Apus to OpenDHT is the goal.
PARTS = {
    "answers": ("Answers", "1/s of CPU", lambda _: ("≥", 2)),
    "trips": ("Put to listen and back", "ms", lambda _: ("≤", 1)),
    "memory": ("Resident memory", "MB", 
               lambda what: None if "files" in what else ("≤", 1.5 if what == "idle" else 1)),
    "values": ("Values, RSA-4096", "1/s of CPU", lambda _: ("≥", 1)),
}


def tables(figures):
    text = []
    for part, (title, unit, goal) in PARTS.items():
        if part not in figures:
            continue
        text += [f"| {title} | OpenDHT {unit} | Apus {unit} | Apus / OpenDHT | goal |", "| --- | ---: | ---: | ---: | --- |"]
        for what, sides in figures[part].items():
            opendht, apus = (statistics.median(sides[side]) for side in SIDES)
            ratio = apus / opendht
            aim = "—"
            if bound := goal(what):
                is_met = ratio >= bound[1] if bound[0] == "≥" else ratio <= bound[1]
                aim = f"{bound[0]} {bound[1]} {'met' if is_met else 'not met'}"
            shown = (f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" for value in (opendht, apus))
            text.append(f"| {what} | {' | '.join(shown)} | {ratio:.2f} | {aim} |")
        text.append("")
    return "\n".join(text)


def version(package):
    shown = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], stdout=subprocess.PIPE, text=True)
    return shown.stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--apus", required=True, type=pathlib.Path)
    parser.add_argument("--only", default=list(PARTS), type=lambda text: text.split(","))
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--seconds", default=3, type=int)
    parser.add_argument("--flight", default=128, type=int, help="requests in flight, 8 to 128")
    parser.add_argument("--results", default=HERE / "results" / "dht", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="apus-dht-bench-") as folder:
        bench = Bench(options, pathlib.Path(folder))
        bench.run()
    machine = f"{platform.machine()}, {os.cpu_count()} processors, Linux {platform.release()}"
    peer = version("libopendht2")
    report = f"# The DHT beside OpenDHT {peer}\n\n{tables(bench.figures)}\nMedians of {options.rounds} rounds; {machine}.\n"
    print(report)
    options.results.with_suffix(".md").write_text(report)
    content = {"opendht": peer, "machine": machine, "rounds": options.rounds, "figures": bench.figures}
    options.results.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
