#!/usr/bin/env python3
"""Measures the store of the name server, each figure beside the machine's own limit.

    Benchmarks/run names-store [--names N] [--seconds S] [--folder FOLDER]

The folder should be on the disk that is meant; it needs 4 GB for a million names.
"""
import argparse
import json
import os
import shutil
import subprocess
import tempfile


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--bench", required=True)
    options.add_argument("--names", type=int, default=1_000_000)
    options.add_argument("--seconds", type=int, default=5)
    options.add_argument("--folder", default=None)
    options = options.parse_args()
    folder = tempfile.mkdtemp(prefix="names-", dir=options.folder)

    def bench(*arguments, one_core=False):
        command = [options.bench, *map(str, arguments)]
        if one_core:
            command = ["taskset", "-c", "0", *command]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    try:
        store = f"{folder}/names.sqlite"
        dump = f"{folder}/dump.json"
        names, seconds = options.names, options.seconds
        filled = bench("fill", store, names)
        size = os.path.getsize(store)
        bench("dump", dump, names)
        imported = bench("import", f"{folder}/import.sqlite", dump)
        os.remove(f"{folder}/import.sqlite")
        os.remove(f"{folder}/registrations.log")
        statement = bench("statement", store, names, seconds, one_core=True)
        found = bench("find", store, names, seconds, 64, one_core=True)
        shutil.rmtree(folder)
        os.mkdir(folder)
        sync = bench("sync", folder, seconds)
        single = bench("register", f"{folder}/single.sqlite", seconds, 64, 1)
        alone = bench("register", f"{folder}/alone.sqlite", seconds, 1, 1)
        group = bench("register", f"{folder}/group.sqlite", seconds, 64, 1024)
    finally:
        shutil.rmtree(folder, ignore_errors=True)

    print(f"| what | figure | the machine's limit | share |\n| --- | --- | --- | --- |")
    limit = statement["per_second"]
    print(f"| look-ups with evidence per second, {names:,} names, one core | {found['per_second']:,.0f} "
          f"| {limit:,.0f} statements in a plain loop | {found['per_second'] / limit:.2f} |")
    print(f"| memory of the process meanwhile, MB | {found['resident']:.0f}, of it {found['anonymous']:.0f} anonymous | | |")
    print(f"| registrations per second, 64 at once, group commit | {group['per_second']:,.0f} "
          f"({group['commits_per_second']:,.0f} commits) | {sync['per_second']:,.0f} synchronized appends | |")
    print(f"| registrations per second, 64 at once, a commit for each | {single['per_second']:,.0f} | | "
          f"group commit: {group['per_second'] / single['per_second']:.1f} × |")
    print(f"| registrations per second, one after the other | {alone['per_second']:,.0f} | | |")
    print(f"| names filled in per second, 2,000 in a transaction | {filled['per_second']:,.0f} | | |")
    print(f"| names imported per second from a dump, without evidence | {imported['per_second']:,.0f} | | |")
    print(f"| size of the database, bytes for each name | {size / names:,.0f} | | |")


if __name__ == "__main__":
    main()
