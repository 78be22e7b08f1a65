"""Measures the control door; compat/bench/control.sh says how. Python's own library only."""

import argparse
import calendar
import http.client
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

LAN = "examples/fleet/lan.conf"
EMU = "examples/fleet/sim.emu"


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class Program:
    """A fleet that serves; with a door, if `door` is a path."""

    def __init__(self, ours, folder, count, port, door):
        self.door, self.port = door, port
        arguments = [ours, "-n", "-p", "--ready-line", "--count", str(count), "--addresses", "127.0.0.0/16"]
        arguments += ["--ports", str(port), "-c", LAN, "-f", EMU]
        if door:
            arguments += ["--control", door]
        self.log = open(os.path.join(folder, f"log.{port}"), "w")
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=self.log, stdin=subprocess.DEVNULL)
        while True:
            line = self.process.stdout.readline()
            if not line:
                sys.exit(f"control.py: it does not serve: {open(self.log.name).read()}")
            if line.endswith(b"is ready\n"):
                return

    def time(self):
        """Seconds of the thread that serves the BMCs on a processor."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/schedstat") as file:
            return int(file.read().split()[0]) / 1e9

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


def get(connection, path):
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read()


def list_times(door, count, rounds):
    connection, times = Connection(door), []
    for _ in range(rounds):
        started = time.perf_counter()
        status, body = get(connection, "/v1/bmcs?limit=100000")
        times.append(time.perf_counter() - started)
        assert status == 200 and json.loads(body)["total"] == count
    return times


def event_times(door, rounds):
    """From the moment that an event bears to when its reader has it, in seconds."""
    reader = Connection(door)
    reader.request("GET", "/v1/events?kind=power_done")
    stream = reader.getresponse()
    asker, times = Connection(door), []
    for number in range(rounds):
        body = json.dumps({"control": "off" if number % 2 else "on"})
        asker.request("POST", "/v1/bmcs/bmc00001/power", body, {"Content-Type": "application/json"})
        while not (line := stream.readline()).startswith(b"data: "):
            pass
        here = time.time()
        asker.getresponse().read()
        told = json.loads(line[6:])["time"]
        seconds, milliseconds = time.strptime(told[:19], "%Y-%m-%dT%H:%M:%S"), int(told[20:23])
        # The event has whole milliseconds, cut off.
        times.append(here - (calendar.timegm(seconds) + milliseconds / 1000 + 0.0005))
        time.sleep(0.002)
    return times


def scrape(door, end, path, made):
    connection = Connection(door)
    begun = time.monotonic()
    while not end.is_set():
        get(connection, path)
        made[0] += 1
        time.sleep(max(0.0, begun + made[0] / 20 - time.monotonic()))


def read_events(door, end, came):
    connection = Connection(door)
    connection.request("GET", "/v1/events")
    stream = connection.getresponse()
    while not end.is_set():
        try:
            line = stream.readline()
        except (OSError, ValueError):
            return
        came[0] += line.startswith(b"data: ")


def cost(program, bench, seconds):
    """Microseconds on a processor for each command."""
    before = program.time()
    ran = subprocess.run(
        [bench, "load", str(program.port), "--seconds", str(seconds)], capture_output=True, text=True, check=True
    )
    spent = program.time() - before
    commands = int(re.search(r"^answered (\d+)$", ran.stdout, re.M).group(1))
    # The warm-up is a tenth more.
    return spent / (commands * 1.1) * 1e6


class Company:
    """Twenty scrapes a second and ten readers of events, while it lasts."""

    def __init__(self, door):
        self.door, self.made, self.came = door, [0], [0]
        status, _ = get(Connection(door), "/metrics")
        self.path = "/metrics" if status == 200 else "/v1/bmcs?limit=100"

    def __enter__(self):
        self.end = threading.Event()
        work = [(scrape, (self.door, self.end, self.path, [0]))]
        work += [(read_events, (self.door, self.end, self.came)) for _ in range(10)]
        for target, arguments in work:
            threading.Thread(target=target, args=arguments, daemon=True).start()
        time.sleep(0.2)

    def __exit__(self, *_):
        self.end.set()
        time.sleep(0.2)


class Nobody:
    """No company."""

    def __enter__(self):
        pass

    def __exit__(self, *_):
        pass


def compared(plain, doored, company, bench, seconds, rounds):
    """How much more a command costs at the second program: the median of rounds that take turns, in percent."""
    ratios = []
    for number in range(rounds):
        costs = {}
        for program in (plain, doored) if number % 2 else (doored, plain):
            with company if program is doored else Nobody():
                costs[program] = cost(program, bench, seconds)
        ratios.append((costs[doored] / costs[plain] - 1) * 100)
    return statistics.median(ratios), costs[plain]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ours")
    parser.add_argument("bench")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--slack", type=float, default=1.0)
    options = parser.parse_args()
    count, rounds, seconds = (1000, 3, 1) if options.quick else (10_000, 11, 3)
    missed = []

    def row(what, value, unit, bar):
        print(f"| {what} | {value:.2f} {unit} | {bar:g} {unit} |")
        if value > bar:
            missed.append(what)

    with tempfile.TemporaryDirectory() as folder:
        free = 20_000 + os.getpid() % 10_000
        doored = Program(options.ours, folder, count, free, os.path.join(folder, "control"))
        plain = Program(options.ours, folder, count, free + 1, None)
        try:
            print("| | measured | bar |\n|---|---:|---:|")
            lists = list_times(doored.door, count, 5 if options.quick else 20)
            bar = 100 * count / 10_000 * options.slack
            row(f"list of {count} BMCs, median", statistics.median(lists) * 1e3, "ms", bar)
            events = event_times(doored.door, 100 if options.quick else 500)
            row("event to its reader, median", statistics.median(events) * 1e3, "ms", 5 * options.slack)
            row("the same, 99 of 100", statistics.quantiles(events, n=100)[98] * 1e3, "ms", 5 * options.slack)
            more, each = compared(plain, doored, Nobody(), options.bench, seconds, rounds)
            print(f"| a command without a door | {each:.2f} µs | |")
            row("more with a door that nobody uses", more, "%", 1 * options.slack)
            company = Company(doored.door)
            more, _ = compared(plain, doored, company, options.bench, seconds, rounds)
            row(f"more with 20 times {company.path} a second and 10 readers of events", more, "%", 3 * options.slack)
        finally:
            doored.end()
            plain.end()
    for what in missed:
        print(f"control.py: missed: {what}", file=sys.stderr)
    sys.exit(1 if missed else 0)


main()
