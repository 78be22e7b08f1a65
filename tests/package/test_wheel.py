"""Run by tests/package/wheel.rs, with the wheel installed: the fixture and real clients."""

import importlib.metadata
import shutil
import subprocess
import sys

import pytest
from ipmi_sim_pytest import Bmc, program


def ipmitool(bmc, *words):
    login = ["-I", "lanplus", "-H", bmc.host, "-p", str(bmc.port), "-U", bmc.user, "-P", bmc.password]
    return subprocess.run(["ipmitool", *login, *words], check=True, capture_output=True, text=True).stdout


def test_the_programs_are_in_the_environment():
    for name in ("ipmi_sim", "ipmi_simctl", "sdrcomp"):
        assert program(name).startswith(sys.prefix)
        assert shutil.which(name).startswith(sys.prefix)
    told = subprocess.run(["ipmi_sim", "--version"], capture_output=True, text=True).stdout
    assert f"ipmi_sim {importlib.metadata.version('ipmi_sim')}" in told.splitlines()


def test_power(ipmi_bmc):
    assert "off" in ipmitool(ipmi_bmc, "power", "status")
    ipmitool(ipmi_bmc, "power", "on")
    assert ipmi_bmc.ctl("power", "mybmc", json=True) == {"bmc": "mybmc", "power": "on"}
    assert "CPU Temp" in ipmitool(ipmi_bmc, "sdr", "list")


def test_the_next_one_is_another(ipmi_bmc):
    assert "off" in ipmitool(ipmi_bmc, "power", "status")
    with Bmc(user="root", password="calvin") as other:
        assert other.port != ipmi_bmc.port
        pyghmi = pytest.importorskip("pyghmi.ipmi.command")
        client = pyghmi.Command(other.host, other.user, other.password, port=other.port)
        assert client.get_power() == {"powerstate": "off"}
        client.ipmi_session.logout()


def test_files_of_ones_own(ipmi_bmc):
    conf = 'name "own"\nset_working_mc 0x20\n startlan 1\n addr 127.0.0.1 0\n allowed_auths_admin none\n endlan\n'
    with Bmc(conf, "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 7 1 0 0x9f 0 1\nmc_enable 0x20\n") as own:
        assert "own" in own.ctl("list")
        assert "Opened" not in own.log
    with pytest.raises(RuntimeError, match="lan.conf:1:1: error"):
        Bmc("nonsense").__enter__()


def test_it_is_gone_after_the_test():
    with Bmc() as bmc:
        process = bmc._process
    assert process.returncode is not None
