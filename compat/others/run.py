#!/usr/bin/env python3
"""What this program and its nearest others answer: each is started on the loopback address and asked the same by ipmitool.

    compat/others/run.py

Prints the table of README.md. Needs the Debian packages openipmi, ipmitool and python3-libvirt; virtualbmc and
pyghmi come from PyPI into a folder below target/, once. virtualbmc has a machine of libvirt's own test driver, so there is no
virtual machine and no libvirtd. Takes two minutes, most of them ipmitool's waiting.

    OURS        this program    target/release/ipmi_sim
    ORIGINAL    the original    /usr/bin/ipmi_sim
"""

import contextlib
import os
import pathlib
import pty
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = os.environ.get("OURS", str(ROOT / "target/release/ipmi_sim"))
ORIGINAL = os.environ.get("ORIGINAL", "/usr/bin/ipmi_sim")
VENV = ROOT / "target/tmp/others"
PACKAGES = ["virtualbmc==3.3.0", "pyghmi==1.6.19"]
# What those need, without libvirt-python, which Debian builds.
NEEDED = ["cliff", "pyzmq", "pbr", "cryptography", "python-dateutil"]


def free_port():
    """A UDP port that nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        return udp.getsockname()[1]


def venv():
    """The folder with the programs that PyPI has."""
    if not (VENV / "bin/vbmcd").exists():
        # Debian's Python, which has Debian's libvirt.
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--system-site-packages", VENV], check=True)
        subprocess.run([VENV / "bin/pip", "install", "-q", "--no-deps", *PACKAGES], check=True)
        subprocess.run([VENV / "bin/pip", "install", "-q", *NEEDED], check=True)
    return VENV / "bin"


def echo_console():
    """A terminal device that sends back what it is told, and its path."""
    ours, theirs = pty.openpty()
    subprocess.run(["stty", "-F", os.ttyname(theirs), "raw", "-echo"], check=True)

    def answer():
        with contextlib.suppress(OSError):
            while data := os.read(ours, 256):
                os.write(ours, data)

    threading.Thread(target=answer, daemon=True).start()
    return os.ttyname(theirs)


class Subject:
    """A program that answers: how it is started, and how it is reached."""

    user, password = "admin", "admin"
    # Whether what was set is still there when it is asked for.
    remembers = True

    def __init__(self, name):
        self.name, self.port, self.folder = name, free_port(), tempfile.mkdtemp(prefix="others-")
        self.processes = []

    def spawn(self, *words, **environment):
        log = open(pathlib.Path(self.folder) / "log", "a", encoding="utf-8")
        own = os.environ | {"HOME": self.folder} | environment
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=own, cwd=self.folder)
        self.processes.append(child)
        return child.pid

    def ipmitool(self, *words, interface="lanplus", suite=("-C", "3"), password=None, limit=40):
        """The exit status, what was said, and the seconds."""
        words = ["ipmitool", "-I", interface, "-H", "127.0.0.1", "-p", str(self.port), "-U", self.user,
                 "-P", password or self.password, *(suite if interface == "lanplus" else ()), *words]
        began = time.monotonic()
        try:
            ran = subprocess.run(words, capture_output=True, text=True, timeout=limit, stdin=subprocess.DEVNULL, check=False)
        except subprocess.TimeoutExpired:
            return 124, "", limit
        return ran.returncode, ran.stdout + ran.stderr, time.monotonic() - began

    def wait(self):
        for _ in range(20):
            if self.ipmitool("power", "status", limit=10)[0] == 0:
                return
            time.sleep(0.3)
        sys.exit(f"{self.name} does not answer: {(pathlib.Path(self.folder) / 'log').read_text()}")

    def end(self):
        for child in self.processes:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(5)


class IpmiSim(Subject):
    """This program or the original, with examples/minimal and a console."""

    def __init__(self, name, program):
        super().__init__(name)
        conf = (ROOT / "examples/minimal/lan.conf").read_text()
        conf = conf.replace("9623", str(self.port))
        conf = conf.replace("  endlan\n", f'  endlan\n  sol "{echo_console()}" 115200\n')
        (pathlib.Path(self.folder) / "lan.conf").write_text(conf)
        self.pid = self.spawn(program, "-n", "-s", self.folder, "-c", "lan.conf", "-f", str(ROOT / "examples/minimal/sim.emu"))


class FakeBmc(Subject):
    """The fakebmc of pyghmi."""

    password = "password"

    def __init__(self):
        super().__init__("pyghmi fakebmc 1.6.19")
        self.pid = self.spawn(venv() / "python3", "-m", "pyghmi.cmd.fakebmc", "--port", str(self.port))


class VirtualBmc(Subject):
    """virtualbmc with the machine of libvirt's test driver, which is a new one for each connection."""

    remembers = False

    def __init__(self):
        super().__init__("virtualbmc 3.3.0")
        vbmc, control = venv() / "vbmc", str(free_port())
        (pathlib.Path(self.folder) / "vbmc").mkdir()
        configuration = pathlib.Path(self.folder) / "virtualbmc.conf"
        configuration.write_text(
            f"[default]\nconfig_dir={self.folder}/vbmc\npid_file={self.folder}/pid\nserver_port={control}\n")
        own = {"VIRTUALBMC_CONFIG": str(configuration)}
        self.spawn(venv() / "vbmcd", "--foreground", **own)
        for words in (["add", "test", "--username", self.user, "--password", self.password, "--port", str(self.port),
                       "--address", "127.0.0.1", "--libvirt-uri", "test:///default"], ["start", "test"]):
            self.ask_daemon([vbmc, "--no-daemon", *words], os.environ | {"HOME": self.folder} | own)
        # A process of its own answers.
        daemon = self.processes[0].pid
        children = pathlib.Path(f"/proc/{daemon}/task/{daemon}/children")
        for _ in range(100):
            if children.read_text():
                break
            time.sleep(0.1)
        self.pid = int(children.read_text().split()[-1])

    @staticmethod
    def ask_daemon(words, environment):
        """Until the daemon is there."""
        for _ in range(20):
            ran = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
            if ran.returncode == 0:
                return
            time.sleep(0.5)
        sys.exit(f"{words}: {ran.stdout}{ran.stderr}")


def login(*options, interface="lanplus"):
    """Whether a login works this way."""
    return lambda subject: "yes" if subject.ipmitool(
        "power", "status", suite=options, interface=interface)[0] == 0 else "no"


def without_options(subject):
    status, _, seconds = subject.ipmitool("mc", "info", suite=())
    return f"{seconds:.1f} s" if status == 0 else "no"


def says(pattern, *words):
    """Whether a command succeeds and says something."""

    def ask(subject):
        status, text, _ = subject.ipmitool(*words)
        return "yes" if status == 0 and re.search(pattern, text) else "no"

    return ask


def sensors(subject):
    status, text, _ = subject.ipmitool("sdr", "elist", "full")
    return str(len(re.findall(r"\| ok ", text))) if status == 0 and " ok " in text else "none"


def power(subject):
    good = all(subject.ipmitool("power", word)[0] == 0 for word in ("on", "status", "off"))
    status, text, _ = subject.ipmitool("power", "status")
    return "yes" if good and status == 0 and ("is off" in text or not subject.remembers) else "no"


def boot(subject):
    good = subject.ipmitool("chassis", "bootdev", "pxe")[0] == 0
    told = subject.ipmitool("chassis", "bootparam", "get", "5")
    return "yes" if good and told[0] == 0 and ("PXE" in told[1] or not subject.remembers) else "no"


def console(subject):
    """What is typed comes back."""
    words = ["ipmitool", "-I", "lanplus", "-H", "127.0.0.1", "-p", str(subject.port), "-U", subject.user, "-P", subject.password,
             "-C", "3", "sol", "activate"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(words[0], words)
    seen, typed, until = b"", False, time.monotonic() + 12
    os.set_blocking(terminal, False)
    while time.monotonic() < until and b"over and out" not in seen:
        try:
            seen += os.read(terminal, 1024)
        except BlockingIOError:
            pass
        except OSError:
            break
        if not typed and b"operational" in seen:
            os.write(terminal, b"over and out")
            typed = True
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 15)
    os.waitpid(pid, 0)
    subject.ipmitool("sol", "deactivate")
    return "yes" if b"over and out" in seen else "no"


def memory(subject):
    """What the process that answers has written to, MiB."""
    text = pathlib.Path(f"/proc/{subject.pid}/smaps_rollup").read_text()
    return f"{sum(map(int, re.findall(r'^Private_Dirty: +([0-9]+)', text, re.M))) / 1024:.1f} MiB"


ROWS = [
    ("memory that one BMC's process has for itself", memory),
    ("`ipmitool -I lanplus ... mc info`, no other option", without_options),
    ("RMCP+ with suite 3 (SHA-1)", login("-C", "3")),
    ("RMCP+ with suite 17 (SHA-256)", login("-C", "17")),
    ("IPMI 1.5", login(interface="lan")),
    ("power on, off, status without a program of one's own", power),
    ("boot device without one", boot),
    ("sensors with readings and thresholds", sensors),
    ("event log", says("Fan|Power Supply|0000|SEL has no entries", "sel", "list")),
    ("inventory (FRU)", says("Product|Board", "fru", "print")),
    ("users and their privileges", says("admin", "user", "list", "1")),
    ("LAN parameters", says("IP Address", "lan", "print", "1")),
    ("watchdog", says("Watchdog Timer", "mc", "watchdog", "get")),
    ("DCMI", says("DCMI", "dcmi", "discover")),
    ("serial over LAN: what is typed comes back", console),
]


def main():
    subjects = []
    try:
        for make in (lambda: IpmiSim("ipmi_sim here", OURS), lambda: IpmiSim("OpenIPMI 2.0.33", ORIGINAL), VirtualBmc, FakeBmc):
            subjects.append(make())
        for subject in subjects:
            subject.wait()
        print("| | " + " | ".join(subject.name for subject in subjects) + " |")
        print("|---|" + "---|" * len(subjects))
        for title, ask in ROWS:
            print(f"| {title} | " + " | ".join(ask(subject) for subject in subjects) + " |", flush=True)
    finally:
        for subject in subjects:
            subject.end()


main()
