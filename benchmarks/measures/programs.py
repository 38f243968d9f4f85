"""How long programs take to start."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Sequence

from benchmarks import installed
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


def _cpu(argv: Sequence[str], env: dict[str, str]) -> float:
    """The CPU seconds of a process, from start to exit."""
    if sys.platform == "win32":
        raise OSError(NOT_HERE)
    import resource  # noqa: PLC0415 - POSIX has it alone

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    finished(argv, name=argv[0], env=env)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _one_shot(arena: Arena, contestant: Contestant, _: Scale) -> dict[str, float]:
    server, programs, home = arena.running(contestant), arena.place.installed, arena.place.new()
    profile = {"endpoint": f"localhost:{server.port}", "ca": str(server.ca), "token": server.secret}
    profiles = home / "profiles.json"
    profiles.write_text(json.dumps({"work": profile}), encoding="utf-8")
    profiles.chmod(0o600)
    data = ("--data-dir", str(server.data))
    client = {"SECURE_CLIENT_HOME": str(home)}
    typed = {"_SECURE_CLIENT_COMPLETE": "bash_complete", "COMP_WORDS": "secure-client work -c PI", "COMP_CWORD": "3"}

    def calls(turn: int) -> dict[str, tuple[list[str], dict[str, str]]]:
        created = f"t{turn}-{home.name}"
        return {
            "bare": (programs.argv("python", "-c", "pass"), {}),
            "one-shot": (programs.argv("secure-client", "work", "-c", "PING"), client),
            "one-shot.completion": (programs.argv("secure-client"), client | typed),
            "one-shot.create": (programs.argv("secure-server", "token", "create", created, *data), {}),
            "one-shot.list": (programs.argv("secure-server", "token", "list", *data), {}),
        }

    taken = [
        {name: _cpu(argv, installed.environment(more)) for name, (argv, more) in calls(turn).items()}
        for turn in range(-1, ROUNDS)
    ][1:]  # the first one warms up
    median = {name: statistics.median(turn[name] for turn in taken) for name in taken[0]}
    bare = median.pop("bare")
    return {name: seconds / bare for name, seconds in median.items()}


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
        "CPU of short calls, beside that of an interpreter that does nothing",
        (
            Quantity("one-shot", "secure-client -c PING", "times"),
            Quantity("one-shot.completion", "completion of a command in the shell", "times"),
            Quantity("one-shot.create", "secure-server token create", "times"),
            Quantity("one-shot.list", "secure-server token list", "times"),
        ),
        (OURS,),
        _one_shot,
        f"Installed from the wheel; medians of {ROUNDS} each, by turns; aimed at: PING at most six times, tokens nine.",
        rounds=1,
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
