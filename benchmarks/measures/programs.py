"""How long programs take to start."""

from __future__ import annotations

import statistics
import sys
import time

from benchmarks.children import environment, finished, python
from benchmarks.contestants import EVERYBODY, OURS, REDIS, Arena, Contestant
from benchmarks.figures import Quantity
from benchmarks.machine import NOT_HERE
from benchmarks.measures.measure import Measure
from benchmarks.scale import Scale

MODULES = ("secure_protocol", "secure_client", "secure_client.cli.main", "secure_server", "secure_server.server")

ROUNDS = 11


def _start(arena: Arena, contestant: Contestant, _: Scale) -> dict[str, float]:
    with contestant.start(arena.place) as server:
        return {"start": server.start * 1000}


def _cpu(argv: list[str], env: dict[str, str]) -> float:
    """The CPU seconds of a process, from start to exit."""
    if sys.platform == "win32":
        raise OSError(NOT_HERE)
    import resource  # noqa: PLC0415 - POSIX has it alone

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    finished(argv, name=argv[0], env=env)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _one_shot(arena: Arena, contestant: Contestant, _: Scale) -> dict[str, float]:
    server, ca = arena.running(contestant), str(arena.place.certificates / "ca.pem")
    argv = python("-m", "secure_client", f"localhost:{server.port}", "--ca", ca, "-c", "PING")
    env = environment(SECURE_CLIENT_TOKEN=server.secret)
    bare, ours = zip(*((_cpu(python("-c", "pass"), env), _cpu(argv, env)) for _round in range(ROUNDS)), strict=True)
    return {"one-shot": statistics.median(ours) / statistics.median(bare)}


def _client(arena: Arena, contestant: Contestant, _: Scale) -> dict[str, float]:
    server, ca = arena.running(contestant), str(arena.place.certificates / "ca.pem")
    if contestant is OURS:
        argv = python("-m", "secure_client", f"localhost:{server.port}", "--ca", ca, "-c", "PING")
    else:
        argv = ["redis-cli", "-h", "127.0.0.1", "--sni", "localhost", "-p", str(server.port)]
        argv += ["--tls", "--cacert", ca, "PING"]
    env = environment(SECURE_CLIENT_TOKEN=server.secret, REDISCLI_AUTH=server.secret)
    began = time.perf_counter()
    finished(argv, name=argv[0], env=env)
    return {"client": (time.perf_counter() - began) * 1000}


def _imports(_arena: Arena, _contestant: Contestant, _scale: Scale) -> dict[str, float]:
    program = "import time; began = time.perf_counter(); import {}; print(time.perf_counter() - began)"
    told = {name: finished(python("-c", program.format(name)), name=f"import {name}") for name in MODULES}
    return {f"import.{name}": float(seconds) * 1000 for name, seconds in told.items()}


MEASURES = (
    Measure(
        "start",
        "Start of a server, until it answers PING",
        (Quantity("start", "start", "ms"),),
        EVERYBODY,
        _start,
        "From the start of the process to the answer, over TLS and authenticated.",
    ),
    Measure(
        "client",
        "A client's `PING`, from start to exit",
        (Quantity("client", "secure-client -c PING; redis-cli PING", "ms"),),
        (OURS, REDIS),
        _client,
        "The whole process; secure-client proves its token by SCRAM.",
    ),
    Measure(
        "one-shot",
        "CPU of a client's `PING`, beside that of an interpreter that does nothing",
        (Quantity("one-shot", "secure-client -c PING", "times"),),
        (OURS,),
        _one_shot,
        f"Medians of {ROUNDS} each, by turns; at most six times is aimed at.",
    ),
    Measure(
        "import",
        "Import time",
        tuple(Quantity(f"import.{name}", name, "ms") for name in MODULES),
        (OURS,),
        _imports,
        "In a fresh interpreter each, with compiled files.",
    ),
)
