"""Start the programs of this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.children import Child, child, environment, python
from benchmarks.contestants import Arena, Server
from benchmarks.peers.answering import SECRET_VARIABLE


@contextmanager
def load(arena: Arena, module: str, server: Server, *arguments: str) -> Iterator[Child]:
    """Run one against a server, during the block."""
    argv = python("-m", f"benchmarks.loads.{module}", str(server.port), str(server.ca), *arguments)
    env = environment(**{SECRET_VARIABLE: server.secret})
    with child(argv, name=module, errors=arena.place.errors, env=env) as process:
        yield process
