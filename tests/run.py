#!/usr/bin/env python3
"""Runs what `cargo test` runs, several test programs at once.

Most test programs wait for clients and time limits most of the time, so three of them at once keep two
processors busy. Those in ALONE judge times and run after all others, one by one. What a program prints is shown whole
when it has ended, with what `cargo test` says before it. Exit status 0 only when every program passed.

    tests/run.py MESSAGES

MESSAGES is what `cargo test --no-run --message-format=json` wrote.
"""

import concurrent.futures
import json
import os
import subprocess
import sys
import threading
import time

# What holds times against each other.
ALONE = ["benchmark", "matrix"]
# What takes longest begins first.
FIRST = ["nanokvm", "container", "page", "sessions", "faults", "qemu_guest", "package", "lossy", "serial_lines"]
AT_ONCE = int(os.environ.get("IPMI_SIM_TEST_PROGRAMS", "3"))

printing = threading.Lock()


def programs(messages):
    """Name, file and folder of each test program."""
    with open(messages, encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("{"):
                continue
            message = json.loads(line)
            if message.get("reason") != "compiler-artifact" or not message.get("executable"):
                continue
            if message["profile"]["test"]:
                yield message["target"]["name"], message["executable"], os.path.dirname(message["manifest_path"])


def run(program):
    """Runs one program, and says whether it passed."""
    name, executable, folder = program
    began = time.monotonic()
    done = subprocess.run(
        [executable], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    took = time.monotonic() - began
    with printing:
        print(f"     Running {name} ({os.path.relpath(executable)})", flush=True)
        sys.stdout.buffer.write(done.stdout)
        print(f"     {name}: {took:.1f} s", flush=True)
    return done.returncode == 0, name


def main():
    every = list(programs(sys.argv[1]))
    if not every:
        sys.exit("tests/run.py: no test program was built")
    together = [program for program in every if program[0] not in ALONE]
    together.sort(key=lambda program: FIRST.index(program[0]) if program[0] in FIRST else len(FIRST))
    alone = [program for program in every if program[0] in ALONE]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(run, together))
    outcomes += [run(program) for program in alone]
    failed = [name for passed, name in outcomes if not passed]
    if failed:
        print("error: failed: " + ", ".join(failed))
    sys.exit(1 if failed else 0)


main()
