"""Load by `redis-benchmark --tls`: found or installed, run, and its CSV read."""

from __future__ import annotations

import csv
import os
import shutil
from dataclasses import dataclass

from benchmarks.children import ChildError, environment, finished
from benchmarks.contestants import Server

CLIENTS = 50
PACKAGES = ("redis-server", "redis-tools")
INSTALL_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Report:
    """What it reports: requests a second over the whole run, and what a client waits in milliseconds."""

    rate: float
    p50: float
    p99: float


def read_report(text: str) -> Report:
    """Read the output of `--csv`.

    Raises:
        ChildError: it is something else.
    """
    lines = [line for line in text.splitlines() if line.startswith('"')]  # warnings are printed without quotes
    rows = list(csv.DictReader(lines))
    try:
        return Report(*(float(rows[-1][column]) for column in ("rps", "p50_latency_ms", "p99_latency_ms")))
    except (IndexError, KeyError, ValueError, TypeError):
        raise ChildError(f"redis-benchmark printed no table: {text.strip()[:200]}") from None


def benchmark(server: Server, requests: int, depth: int) -> Report:
    """Send so many `ECHO hello` by 50 clients, `depth` at a time each.

    Raises:
        ChildError: it failed.
    """
    argv = ["redis-benchmark", "-h", "127.0.0.1", "-p", str(server.port), "--tls", "--sni", "localhost"]
    argv += ["--cacert", str(server.ca), "-c", str(CLIENTS), "-n", str(requests), "-P", str(depth), "--csv"]
    # It takes a password from argv alone, which others on this machine can read: good for one server on loopback,
    # which is gone in a moment.
    argv += ["-a", server.secret, "ECHO", "hello"]
    return read_report(finished(argv, name="redis-benchmark"))


def lacking() -> str:
    """Look for the programs; install them where we may. Returns what to do, or nothing where they are there."""
    if not shutil.which("redis-benchmark") and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        # RUNLEVEL: the packaged server is not to be started as a service.
        env = environment(DEBIAN_FRONTEND="noninteractive", RUNLEVEL="1")
        argv = ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES]
        try:
            finished(argv, name="apt-get", env=env, seconds=INSTALL_SECONDS)
        except ChildError as error:
            return str(error)
    if shutil.which("redis-benchmark"):
        return ""
    return "redis-benchmark is missing, and makes the load; install it (apt install redis-tools) and run this again"
