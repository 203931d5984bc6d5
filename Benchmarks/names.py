#!/usr/bin/python3
"""The name server under load, beside static answers of the same size.

Look-ups: signed records from a store of --names names, the server on one processor (taskset) and wrk on another. Beside
them, in turns: a static answer of the name server's own HTTP side, and one of Hummingbird as it comes.
Registrations: one commit for each (one connection) and shared commits (64 connections), unsigned so that the store is
measured; how often a processor checks a signature stands beside it.
Proofs: of a registry of a million names, checked whole and in parts, beside what the system's libraries do of the same work.
Writes results/names.json and results/names.md.
"""
import argparse
import ctypes
import ctypes.util
import http.client
import json
import os
import pathlib
import platform
import re
import signal
import statistics
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PORT = 18_431

UNIFORM = """
math.randomseed(%(seed)d)
request = function()
  return string.format("GET /name/n%%07d HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n", math.random(0, %(last)d))
end
"""

REGISTERING = """
local n = %(first)d
request = function()
  n = n + 1
  local address = string.format("%%040x", n)
  local body = '{"addr":"' .. address .. '","owner":"' .. address .. '"}'
  return string.format("POST /name/u%%d HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: %%d\\r\\n\\r\\n%%s", n, #body, body)
end
"""


class Server:
    """A program on one processor, ended with SIGTERM."""

    def __init__(self, argv, cpu):
        environment = {**os.environ, "NIO_SINGLETON_GROUP_LOOP_COUNT": "1"}
        self.process = subprocess.Popen(["taskset", "-c", str(cpu), *argv], stdout=subprocess.PIPE, text=True,
                                        env=environment)
        if not self.process.stdout.readline():
            raise SystemExit(f"{argv[0]} did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    def seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Resident bytes in all, and those that are no mapped file."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return [int(re.search(rf"{key}:\s+(\d+)", text)[1]) * 1024 for key in ("VmRSS", "RssAnon")]


def wrk(server, cpu, seconds, connections, script=None, path="/name/n0000000"):
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as lua:
        lua.write(script or "")
        lua.flush()
        argv = ["taskset", "-c", str(cpu), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
        argv += (["-s", lua.name] if script else []) + [f"http://127.0.0.1:{PORT}{path}"]
        before = server.seconds()
        text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        spent = server.seconds() - before
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    count = int(re.search(r"(\d+) requests in", text)[1])
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if failed:
        raise SystemExit(f"{failed[1]} answers of {server.process.args[3]} were no success")
    late = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    scale = {"us": 1e-3, "ms": 1, "s": 1e3}[late[2]]
    return {"perSecond": rate, "perSecondOfProcessor": count / max(spent, 1e-9), "p99Milliseconds": float(late[1]) * scale}


def syncs(folder):
    """How often this medium syncs a short append in a second."""
    path = pathlib.Path(folder) / "sync"
    with open(path, "ab", buffering=0) as file:
        begin, count = time.monotonic(), 0
        while time.monotonic() - begin < 2:
            file.write(b"x" * 2048)
            os.fdatasync(file.fileno())
            count += 1
    path.unlink()
    return count / 2


def openssl(*arguments):
    """The figures of the last line of `openssl speed`, for a second of processor time."""
    text = subprocess.run(["openssl", "speed", "-seconds", "1", *arguments], capture_output=True, text=True, check=True)
    return [float(number) for number in re.findall(r"(?<![\w.])\d+\.\d+", text.stdout.strip().splitlines()[-1])]


def recoveries():
    """How often libsecp256k1 finds a signer in a second of processor time."""
    library = ctypes.CDLL(ctypes.util.find_library("secp256k1"))
    library.secp256k1_context_create.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.secp256k1_context_create(1))
    signature, point = ctypes.create_string_buffer(65), ctypes.create_string_buffer(64)
    if library.secp256k1_ecdsa_sign_recoverable(context, signature, b"h" * 32, b"s" * 32, None, None) != 1:
        raise SystemExit("libsecp256k1 does not sign")
    begin, count = time.process_time(), 0
    while time.process_time() - begin < 1:
        for _ in range(100):
            library.secp256k1_ecdsa_recover(context, point, signature, b"h" * 32)
        count += 100
    return count / (time.process_time() - begin)


def proofs(bench, rounds):
    """Ours, and what the system's libraries do; SHA3-256 stands for Keccak-256, which differs in its padding alone."""
    def once():
        ours = json.loads(subprocess.run([bench, "prove", "1"], capture_output=True, text=True, check=True).stdout)
        size = ours["nodeBytes"] // ours["nodes"]
        hashes = openssl("-evp", "sha3-256", "-bytes", str(size))[-1] * 1_000 / size
        checks, seals = openssl("rsa4096")[-1], recoveries()
        # Four of five signers make a block final.
        whole = 1 / (ours["nodes"] / hashes + 4 / seals + 1 / checks)
        return {**ours, "hashes": hashes, "checks": checks, "seals": seals, "limit": whole}
    return median([once() for _ in range(rounds)])


def median(rounds):
    return {key: statistics.median(entry[key] for entry in rounds) for key in rounds[0]}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--apus", required=True)
    options.add_argument("--bench", required=True)
    options.add_argument("--names", type=int, default=1_000_000)
    options.add_argument("--seconds", type=int, default=5)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--connections", type=int, default=64)
    options.add_argument("--store", help="a folder that NamesBench has filled already")
    options.add_argument("--output", default=str(HERE / "results/names"))
    options = options.parse_args()

    with tempfile.TemporaryDirectory(prefix="apus-names-bench-") as folder:
        store = options.store or f"{folder}/store"
        results = {"machine": {"processors": os.cpu_count(), "kernel": platform.release()}}
        if not options.store:
            os.mkdir(store)
            filled = subprocess.run([options.bench, "fill", store, str(options.names)], capture_output=True, text=True,
                                    check=True)
            results["fill"] = json.loads(filled.stdout)
        serve = [options.apus, "names", "serve", "--data", store, "--port", str(PORT), "--listen", "127.0.0.1", "--json",
                 "--look-ups-per-second", "0", "--registrations-per-minute", "0"]
        kinds = {
            "plain": lambda size: [options.bench, "plain", str(PORT), str(size)],
            "static": lambda size: [options.bench, "static", str(PORT), str(size)],
            "hot": lambda _: serve,
            "uniform": lambda _: serve,
        }
        with Server(serve, 0) as server:
            connection = http.client.HTTPConnection("127.0.0.1", PORT)
            connection.request("GET", "/name/n0000000")
            size = len(connection.getresponse().read())
            connection.close()
        # What is measured is the server and not the medium.
        with open(f"{store}/names.sqlite", "rb") as file:
            while file.read(1 << 24):
                pass
        loads = [os.getloadavg()[0]]
        rounds = {kind: [] for kind in kinds}
        for number in range(options.rounds):
            for kind, argv in kinds.items():
                script = UNIFORM % {"seed": number + 1, "last": options.names - 1} if kind == "uniform" else None
                with Server(argv(size), 0) as server:
                    wrk(server, 1, 1, options.connections, script)
                    rounds[kind].append(wrk(server, 1, options.seconds, options.connections, script))
                    if kind == "uniform":
                        results["memory"] = dict(zip(("resident", "withoutFiles"), server.memory()))
        results["answerBytes"] = size
        results["lookUps"] = {kind: median(entries) for kind, entries in rounds.items()}

        loads.append(os.getloadavg()[0])

        rounds = []
        for number in range(options.rounds):
            fresh = f"{folder}/registrations-{number}"
            os.mkdir(fresh)
            serve[serve.index("--data") + 1] = fresh
            with Server(serve + ["--allow-unsigned"], 0) as server:
                single = wrk(server, 1, options.seconds, 1, REGISTERING % {"first": 10_000_000})["perSecond"]
                together = wrk(server, 1, options.seconds, 64, REGISTERING % {"first": 50_000_000})["perSecond"]
            rounds.append({"oneConnection": single, "sharedCommits": together, "factor": together / single,
                           "syncsPerSecond": syncs(folder)})
        verify = json.loads(subprocess.run([options.bench, "verify", "2"], capture_output=True, text=True, check=True).stdout)
        results["registrations"] = {**median(rounds), "checksOfSignaturesPerSecond": verify["perSecond"]}
        results["proofs"] = proofs(options.bench, options.rounds)
        loads.append(os.getloadavg()[0])
        results["machine"]["load"] = [min(loads), max(loads)]
    pathlib.Path(options.output + ".json").write_text(json.dumps(results, indent=2) + "\n")
    pathlib.Path(options.output + ".md").write_text(table(results, options))
    print(table(results, options))


def table(results, options):
    look, registering, memory = results["lookUps"], results["registrations"], results["memory"]
    labels = {"plain": "static answer, Hummingbird as it comes", "static": "static answer, own HTTP side",
              "hot": "signed look-up, one name", "uniform": f"signed look-up, any of {options.names:,} names"}
    rows = [f"# The name server under load", "",
            f"Answers of {results['answerBytes']} bytes on one processor, {options.connections} connections.", "",
            "| | 1/s | 1/s of processor | beside Hummingbird's static | beside its own static | 99 % within ms |",
            "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for kind, label in labels.items():
        entry = look[kind]
        rows.append(f"| {label} | {entry['perSecond']:,.0f} | {entry['perSecondOfProcessor']:,.0f} | "
                    f"{entry['perSecond'] / look['plain']['perSecond']:.2f} | "
                    f"{entry['perSecond'] / look['static']['perSecond']:.2f} | {entry['p99Milliseconds']:.1f} |")
    rows += ["", "| Registrations | 1/s | |", "| --- | ---: | ---: |",
             f"| one commit for each (one connection) | {registering['oneConnection']:,.0f} | |",
             f"| shared commits (64 connections) | {registering['sharedCommits']:,.0f} | {registering['factor']:.1f} × |",
             f"| the medium: synced appends | {registering['syncsPerSecond']:,.0f} | |",
             f"| the processor: checks of a 4096-bit signature | {registering['checksOfSignaturesPerSecond']:,.0f} | |"]
    proof = results["proofs"]
    rows += ["", f"Proofs of {proof['nodes']:.0f} nodes, {proof['answerBytes']:,.0f} bytes as an answer:", "",
             "| Proofs, in a second of one processor | Apus | the system's libraries | share |", "| --- | ---: | --- | ---: |",
             f"| whole answers: JSON, four seals, slots, signature | {proof['wholePerSecond']:,.0f} | "
             f"{proof['limit']:,.0f} if hashes, seals and signature were all | "
             f"{proof['wholePerSecond'] / proof['limit']:.2f} |",
             f"| the contract and three slots | {proof['triesPerSecond']:,.0f} | "
             f"{proof['hashes'] / proof['nodes']:,.0f} × SHA3-256 of the same nodes (libcrypto) | "
             f"{proof['triesPerSecond'] * proof['nodes'] / proof['hashes']:.2f} |",
             f"| seals of blocks | {proof['sealsPerSecond']:,.0f} | {proof['seals']:,.0f} recoveries (libsecp256k1) | "
             f"{proof['sealsPerSecond'] / proof['seals']:.2f} |",
             f"| signatures of 4096 bits | {registering['checksOfSignaturesPerSecond']:,.0f} | "
             f"{proof['checks']:,.0f} (libcrypto) | "
             f"{registering['checksOfSignaturesPerSecond'] / proof['checks']:.2f} |", "",
             f"Resident memory while serving: {memory['resident'] / 1e6:,.0f} MB, "
             f"{memory['withoutFiles'] / 1e6:,.0f} MB without mapped files.", "",
             f"Medians of {options.rounds} rounds; {results['machine']['processors']} processors, Linux "
             f"{results['machine']['kernel']}, load {results['machine']['load'][0]:.1f} to "
             f"{results['machine']['load'][1]:.1f}."]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
