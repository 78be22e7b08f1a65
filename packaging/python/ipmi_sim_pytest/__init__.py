"""A baseboard management controller (BMC) for a test: on a free port of 127.0.0.1, ready, and gone after it.

    def test_power(ipmi_bmc):
        my_tool.power_on(ipmi_bmc.host, ipmi_bmc.port, ipmi_bmc.user, ipmi_bmc.password)
        assert ipmi_bmc.ctl("power", "mybmc", json=True)["power"] == "on"

With pytest the fixture ``ipmi_bmc`` is there when this package is installed. Without it, and for
files of your own, ``Bmc`` is a context manager.
"""

from __future__ import annotations

import json as _json
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sysconfig
import tempfile
import threading
import time

try:
    import pytest
except ImportError:  # Bmc needs none.
    pytest = None

__all__ = ["Bmc", "program"]

_CONF = """\
name "mybmc"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 0
    priv_limit admin
    allowed_auths_callback md5
    allowed_auths_user md5
    allowed_auths_operator md5
    allowed_auths_admin md5
  endlan
  user 2 true "{user}" "{password}" admin 10 md5
"""


def program(name: str) -> str:
    """Where ``ipmi_sim``, ``ipmi_simctl`` or ``sdrcomp`` is: beside this Python, else in PATH."""
    here = os.path.join(sysconfig.get_path("scripts"), name)
    found = here if os.access(here, os.X_OK) else shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"the program {name} is neither in {os.path.dirname(here)} nor in PATH")
    return found


class Bmc:
    """One BMC, as a process of its own.

    ``conf`` and ``emu`` are texts of lan.conf and of a command file; in ``conf`` an address with port
    0 is given a free one. Without them it is the BMC of ``ipmi_sim --demo``, and ``user`` and
    ``password`` can log in. No state is kept. ``limit`` is how many seconds it has to be ready.
    """

    host = "127.0.0.1"

    def __init__(self, conf=None, emu=None, *, user="admin", password="admin", options=(), limit=60.0):
        self.user, self.password, self.port = user, password, None
        self._conf, self._emu, self._options, self._limit = conf, emu, list(options), limit
        self._folder = self._process = self._reader = None
        self._lines = queue.Queue()

    def __enter__(self) -> "Bmc":
        self._folder = tempfile.TemporaryDirectory(prefix="ipmi_sim-")
        try:
            self._start(pathlib.Path(self._folder.name))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._reader.join()
            self._process.stdout.close()
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    @property
    def control(self) -> str:
        """The unix socket of the control door."""
        return os.path.join(self._folder.name, "control")

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return pathlib.Path(self._folder.name, "log").read_text(errors="replace")

    def ctl(self, *words: str, json: bool = False):
        """Runs ``ipmi_simctl`` with these words; what it prints, or with ``json`` what that means."""
        command = [program("ipmi_simctl"), "--socket", self.control, *(["--json"] if json else []), *words]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=self._limit)
        if ran.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {ran.stderr.strip()}")
        return _json.loads(ran.stdout) if json else ran.stdout

    def _start(self, folder: pathlib.Path) -> None:
        made = folder / "made"
        subprocess.run([program("ipmi_sim"), "--init", made], check=True, stdout=subprocess.DEVNULL)
        conf = self._conf or _CONF.format(user=self.user, password=self.password)
        (folder / "lan.conf").write_text(conf)
        (folder / "bmc.emu").write_text((made / "sim.emu").read_text() if self._emu is None else self._emu)
        command = [program("ipmi_sim"), "-n", "-p", "-c", "lan.conf", "-f", "bmc.emu", "--ready-line"]
        command += ["--control", self.control, *self._options]
        with open(folder / "log", "wb") as log:
            self._process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._wait_until_ready()

    def _read(self) -> None:
        # Goes on to the end: who is not read stands still.
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + self._limit
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"ipmi_sim is not ready after {self._limit} seconds:\n{self.log}") from None
            if line is None:
                raise RuntimeError(f"ipmi_sim ended with {self._process.wait()}:\n{self.log}")
            opened = re.fullmatch(r"Opened UDP port (\d+)\n", line)
            if opened and self.port is None:
                self.port = int(opened.group(1))
            if re.fullmatch(r"ipmi_sim .* is ready\n", line):
                return


if pytest is not None:
    __all__.append("ipmi_bmc")

    @pytest.fixture
    def ipmi_bmc():
        """A BMC of this test's own (`Bmc`)."""
        with Bmc() as bmc:
            yield bmc
