"""The benchmarks of transports run, and show each row that they speak of; what comes of it is no figure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from benchmarks import lossy, strangers, transports
from benchmarks.children import ROOT
from benchmarks.link import DEVICE, TUN

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the benchmarks measure on Linux")


def test_a_row_shows_medians_and_the_ratio_within_the_round() -> None:
    """A machine that became twice as slow in the midst of it changes nothing."""
    rounds = [{"tls": 10.0, "quic": 30.0}, {"tls": 20.0, "quic": 60.0}, {"tls": 20.0, "quic": 60.0}]
    assert transports.row("CPU", rounds, ("tls", "quic")) == ["CPU", "20.0", "60.0 (3.00×)"]
    assert transports.row("CPU", [{"quic": 60.0}], ("quic",)) == ["CPU", "60.0"], "there is nothing to compare with"


@pytest.mark.long
@pytest.mark.usefixtures("unmeasured")
def test_all_transports_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU of requests and logins, and memory, with few of each."""
    for name, few in (("CLIENTS", 2), ("REQUESTS", 20), ("LOGINS", 2), ("MEMORY_CLIENTS", 3)):
        monkeypatch.setattr(transports, name, few)
    done = CliRunner().invoke(transports.main, ["--rounds", "1"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    for row in ("an ECHO, depth 1 ", "an ECHO, depth 16 ", "ms a login", "KB a connection"):
        assert row in done.stdout
    assert all(name in done.stdout for name in transports.TRANSPORTS)


@pytest.mark.long
@pytest.mark.usefixtures("unmeasured")
def test_strangers_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handshakes that nobody ends, and each storm; a Retry comes to those who are many."""
    monkeypatch.setattr(strangers, "UNFINISHED", 150)
    monkeypatch.setattr(strangers, "AT_ONCE", 1)
    argv = ["--rounds", "1", "--seconds", "0.1", "--aftermath", "0"]
    done = CliRunner().invoke(strangers.main, argv, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert all(row in done.stdout for row in ("by a Retry", *strangers.STORMS))


def lacking() -> str:
    """Say why there can be no network of its own here; nothing where there can."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        return "unshare and ip make a network of its own"
    made = ["ip", "tuntap", "add", "dev", DEVICE, "mode", "tun"]
    done = subprocess.run(["unshare", "--map-root-user", "--net", *made], capture_output=True, check=False, timeout=20)
    return f"no network of its own with a {TUN} can be made here" if done.returncode else ""


@pytest.mark.long
@pytest.mark.usefixtures("unmeasured")
def test_logins_are_measured_over_a_link_that_loses() -> None:
    """In a network namespace, both transports."""
    if why := lacking():
        pytest.skip(why)
    argv = [sys.executable, str(ROOT / "benchmarks" / "lossy.py"), "--delay", "20", "--loss", "5", "--logins", "2"]
    env = {**os.environ, "COLUMNS": "160"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, env=env)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in lossy.WAYS.values())
