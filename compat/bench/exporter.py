"""What others notice of BMCs that are in trouble while an exporter reads the sensors of all: see exporter.sh."""

import argparse
import multiprocessing
import os
import pathlib
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

PORT = 9623
WEB = 9624
COUNT = 300
# What is wrong with three of each hundred.
FAULTS = {0: "fault hang", 1: "fault lose chance 30", 2: "fault delay 2s out"}
RATE = 500
WINDOWS = 10
SCRAPERS = 2
MODULE = """modules:
  default:
    user: admin
    pass: admin
    driver: LAN_2_0
    privilege: user
    timeout: 10000
    collectors: [ipmi]
"""


def address(number):
    return f"127.66.{number // 250}.{number % 250 + 1}"


def healthy():
    return [number for number in range(COUNT) if number % 100 not in FAULTS]


def presence_ping(tag):
    return bytes([6, 0, 0xFF, 6, 0, 0, 0x11, 0xBE, 0x80, tag, 0, 0])


def ping(number, tag, patience):
    """How long a BMC takes for a presence ping, in seconds; None if it does not answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(patience)
        begin = time.perf_counter()
        client.sendto(presence_ping(tag), (address(number), PORT))
        try:
            client.recv(64)
        except OSError:
            return None
        return time.perf_counter() - begin


def pings(seconds, results, first):
    """Asks those that nothing is wrong with, evenly, in windows; gives the median of their p99 and how many were lost."""
    if first:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    numbers, lost, p99s = healthy(), 0, []
    at, begin = 0, time.perf_counter()
    for window in range(WINDOWS + 1):
        times = []
        end = begin + (window + 1) * seconds / (WINDOWS + 1)
        while time.perf_counter() < end:
            due = begin + at / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            took = ping(numbers[at % len(numbers)], at % 250, 1.0)
            lost += took is None
            times += [took] if took is not None else []
            at += 1
        if window > 0:
            p99s.append(sorted(times)[len(times) * 99 // 100])
    results.put((statistics.median(p99s), lost))


def scrape(number):
    """Reads the sensors of a BMC by way of the exporter: seconds, and whether it says that they could be read."""
    begin = time.perf_counter()
    url = f"http://127.0.0.1:{WEB}/ipmi?target={address(number)}:{PORT}"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            good = 'ipmi_up{collector="ipmi"} 1' in answer.read().decode()
    except OSError:
        good = False
    return time.perf_counter() - begin, good


def measure(ours, exporter, folder, wrong, seconds, first):
    example = pathlib.Path("examples/fleet").resolve()
    emu = (example / "sim.emu").read_text()
    rows = ["name,addr,port,emu"]
    for kind, fault in FAULTS.items():
        (folder / f"fault{kind}.emu").write_text(f"{emu}\n{fault}\n")
    for number in range(COUNT):
        kind = number % 100
        own = f"fault{kind}.emu" if wrong and kind in FAULTS else ""
        rows.append(f"n{number},{address(number)},{PORT},{own}")
    (folder / "nodes.csv").write_text("\n".join(rows) + "\n")
    (folder / "exporter.yml").write_text(MODULE)
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "HOME": str(folder)}
    files = ["-n", "-p", "--fleet", "nodes.csv", "-c", example / "lan.conf", "-f", example / "sim.emu"]
    web = [f"--web.listen-address=127.0.0.1:{WEB}", "--config.file=exporter.yml"]
    before = ["chrt", "-f", "10"] if first else []
    with subprocess.Popen([*before, ours, *files], cwd=folder, **quiet) as simulator, \
            subprocess.Popen([exporter, *web], cwd=folder, env=environment, **quiet) as reader:
        try:
            deadline = time.monotonic() + 60
            while any(ping(number, 1, 0.5) is None for number in healthy()[:: 40]):
                if time.monotonic() > deadline or simulator.poll() is not None:
                    sys.exit("exporter.py: the BMCs do not answer")
            while not scrape(healthy()[0])[1]:
                if time.monotonic() > deadline or reader.poll() is not None:
                    sys.exit("exporter.py: the exporter reads nothing")
            stop, scrapes = threading.Event(), []

            def read_all(numbers, told):
                while not stop.is_set():
                    for number in random.sample(numbers, len(numbers)):
                        if stop.is_set():
                            return
                        told.append(scrape(number))

            threads = [threading.Thread(target=read_all, args=(healthy(), scrapes)) for _ in range(SCRAPERS)]
            others = [number for number in range(COUNT) if number % 100 in FAULTS]
            threads += [threading.Thread(target=read_all, args=([number], []), daemon=True) for number in others]
            results = multiprocessing.Queue()
            pinger = multiprocessing.Process(target=pings, args=(seconds, results, first))
            pinger.start()
            for thread in threads:
                thread.start()
            p99, lost = results.get()
            pinger.join()
            stop.set()
            for thread in threads[:SCRAPERS]:
                thread.join()
            times = sorted(took for took, _ in scrapes)
            return {
                "p99": p99 * 1000,
                "lost": lost,
                "scrapes": len(times),
                "median": statistics.median(times) * 1000,
                "failed": sum(not good for _, good in scrapes),
            }
        finally:
            reader.kill()
            simulator.terminate()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ours")
    parser.add_argument("exporter")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--slack", type=float, default=1.0)
    parser.add_argument("--first", action="store_true")
    options = parser.parse_args()
    ours = pathlib.Path(options.ours).resolve()
    exporter = pathlib.Path(shutil.which(options.exporter) or options.exporter).resolve()
    seconds = 22.0 if options.quick else 77.0
    found = []
    for wrong in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            found.append(measure(ours, exporter, pathlib.Path(folder), wrong, seconds, options.first))
    before, during = found
    bar = before["p99"] + options.slack
    rows = [
        ("p99 of pings to the 97 %, ms", before["p99"], during["p99"], bar),
        ("pings to the 97 % lost", before["lost"], during["lost"], 0),
        ("scrapes of the 97 % that failed", before["failed"], during["failed"], 0),
        ("scrapes of the 97 %", before["scrapes"], during["scrapes"], None),
        ("median of a scrape of the 97 %, ms", before["median"], during["median"], None),
    ]
    print("| | nothing is wrong | 3 % are in trouble | bar | |\n|---|---:|---:|---:|---|")
    missed = False
    for what, one, other, limit in rows:
        over = limit is not None and other > limit
        missed |= over
        shown = "" if limit is None else f"{limit:.3g}"
        print(f"| {what} | {one:.3g} | {other:.3g} | {shown} | {'missed' if over else ''} |")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
