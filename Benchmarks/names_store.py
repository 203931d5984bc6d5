#!/usr/bin/env python3
"""Measures the store of the name server, each figure beside the machine's own limit.

    Benchmarks/run names-store [--names N] [--seconds S] [--rounds N] [--folder FOLDER]

The folder should be on the disk that is meant; it needs 5 GB for a million names. Writes results/names-store.md.
"""
import argparse
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--bench", required=True)
    options.add_argument("--names", type=int, default=1_000_000)
    options.add_argument("--seconds", type=int, default=4)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--folder", default=None)
    options.add_argument("--output", default=str(HERE / "results/names-store.md"))
    options = options.parse_args()
    folder = tempfile.mkdtemp(prefix="names-", dir=options.folder)
    names, seconds = options.names, options.seconds
    loads = [os.getloadavg()[0]]

    def bench(*arguments, one_core=False):
        command = [options.bench, *map(str, arguments)]
        if one_core:
            command = ["taskset", "-c", "0", *command]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def fresh():
        shutil.rmtree(folder)
        os.mkdir(folder)
        return f"{folder}/names.sqlite"

    try:
        dump = f"{folder}/../{os.path.basename(folder)}.json"
        bench("dump", dump, names)
        inserted = bench("insert", fresh(), names, 0)
        imported = bench("import", fresh(), dump)
        os.remove(dump)
        signed = bench("insert", fresh(), names, 1)
        store = fresh()
        filled = bench("fill", store, names)
        size = os.path.getsize(store)
        # Look-ups are measured with the file in the system's cache.
        subprocess.run(["cat", store], stdout=subprocess.DEVNULL, check=True)
        rounds = [{"statement": bench("statement", store, names, seconds, one_core=True),
                   "found": bench("find", store, names, seconds, 64, one_core=True)} for _ in range(options.rounds)]
        loads.append(os.getloadavg()[0])
        for entry in rounds:
            fresh()
            entry["sync"] = bench("sync", folder, seconds)
            entry["single"] = bench("register", f"{folder}/single.sqlite", seconds, 64, 1)
            entry["alone"] = bench("register", f"{folder}/alone.sqlite", seconds, 1, 1)
            entry["group"] = bench("register", f"{folder}/group.sqlite", seconds, 64, 1024)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    loads.append(os.getloadavg()[0])

    def middle(kind, key="per_second"):
        return statistics.median(entry[kind][key] for entry in rounds)

    limit, found, sync = middle("statement"), middle("found"), middle("sync")
    group, single, alone = middle("group"), middle("single"), middle("alone")
    memory = rounds[-1]["found"]
    lines = [
        "# The store of the name server", "",
        f"`Benchmarks/run names-store`: {os.cpu_count()} processors, Linux {platform.release()}, load "
        f"{min(loads):.1f} to {max(loads):.1f}; medians of {options.rounds} rounds, filling and importing once.", "",
        "| what | figure | the machine's limit | share |", "| --- | ---: | --- | ---: |",
        f"| look-ups with evidence per second, {names:,} names, one core | {found:,.0f} "
        f"| {limit:,.0f} statements in a plain loop | {found / limit:.2f} |",
        f"| memory of the process meanwhile, MB | {memory['resident']:.0f}, of it {memory['anonymous']:.0f} anonymous | | |",
        f"| registrations per second, 64 at once, shared commits | {group:,.0f} "
        f"({middle('group', 'commits_per_second'):,.0f} commits) | {sync:,.0f} synchronized appends | {group / sync:.2f} |",
        f"| registrations per second, 64 at once, a commit for each | {single:,.0f} | "
        f"| shared commits: {group / single:.1f} × |",
        f"| registrations per second, one after the other | {alone:,.0f} | | shared commits: {group / alone:.1f} × |",
        f"| names imported per second from a dump of {names:,}, without evidence | {imported['per_second']:,.0f} "
        f"| {inserted['per_second']:,.0f} rows in a plain loop | {imported['per_second'] / inserted['per_second']:.2f} |",
        f"| names filled in per second, {names:,} of them with evidence and log | {filled['per_second']:,.0f} "
        f"| {signed['per_second']:,.0f} rows in a plain loop | {filled['per_second'] / signed['per_second']:.2f} |",
        f"| size of the database, bytes for each name | {size / names:,.0f} | | |",
    ]
    pathlib.Path(options.output).write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
