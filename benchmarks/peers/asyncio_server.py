"""A server of asyncio protocols: python -m benchmarks.peers.asyncio_server CERTIFICATES."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

from benchmarks.peers.answering import BACKLOG, Answers, listener, secret, server_context
from secure_server.limits.descriptors import raise_limit

DESCRIPTORS = 1 << 20
"""As many as the system lets us have."""


class Echo(asyncio.Protocol):
    """One connection."""

    def __init__(self, secret: str) -> None:
        self._answers = Answers(secret)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._write = cast("asyncio.Transport", transport).write  # uvloop's TLS transport does not descend from it

    def data_received(self, data: bytes) -> None:
        """Answer."""
        self._write(self._answers.answer(data))


async def serve(certificates: Path) -> None:
    """Serve until the process is ended."""
    raise_limit(DESCRIPTORS)
    password = secret()
    server = await asyncio.get_running_loop().create_server(
        lambda: Echo(password), sock=listener(), ssl=server_context(certificates), backlog=BACKLOG
    )
    await server.serve_forever()


def main(new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop) -> None:
    """Run on a loop of that kind."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
