"""The asyncio clients of QUIC libraries, aioquic's and those that grew out of it, as a program uses them."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

LIBRARY = os.environ["LIBRARY"]
connect: Any = importlib.import_module(f"{LIBRARY}.asyncio.client").connect
configuration: Any = importlib.import_module(f"{LIBRARY}.quic.configuration").QuicConfiguration
BINARY = bytes(range(256)) + b"\r\n"
LONG = BINARY * 1000
GONE = (ConnectionError, EOFError, TimeoutError)
SECONDS = 10.0


def request(*words: bytes) -> bytes:
    """Write a request."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Session:
    """The one stream that is a session.

    Args:
        reader: of the stream.
        writer: of the stream.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, *words: bytes) -> None:
        """Send a request."""
        self._writer.write(request(*words))

    async def reply(self) -> Any:  # noqa: ANN401 - of whatever kind it is
        """Return the next reply."""
        line = await asyncio.wait_for(self._reader.readline(), SECONDS)
        if not line.endswith(b"\r\n"):
            raise EOFError
        kind, rest = line[:1], line[1:-2]
        if kind in b"+:,#":
            return rest
        if kind in b"$=":
            return (await self._reader.readexactly(int(rest) + 2))[:-2]
        if kind == b"%":
            return {(await self.reply()): (await self.reply()) for _ in range(int(rest))}
        if kind in b"*~>":
            return [await self.reply() for _ in range(int(rest))]
        if kind == b"_":
            return None
        raise ValueError(line)

    async def ask(self, *words: bytes) -> Any:  # noqa: ANN401 - as above
        """Send a request, and return what answers it."""
        self.send(*words)
        return await self.reply()


@asynccontextmanager
async def session() -> AsyncIterator[Session]:
    """Connect, and log in."""
    settings = configuration(is_client=True, alpn_protocols=["secure-command/1"], server_name="localhost")
    settings.load_verify_locations(cafile=os.environ["CA"])
    async with connect("127.0.0.1", int(os.environ["PORT"]), configuration=settings) as connection:
        made = Session(*await connection.create_stream())
        described = await made.ask(b"HELLO", b"3", b"AUTH", b"default", os.environ["TOKEN"].encode())
        assert described[b"user"] == b"admin", described
        yield made


async def tell(word: str) -> None:
    """Say how far it is, and wait until the test has done its part."""
    print(word, flush=True)
    await asyncio.to_thread(sys.stdin.readline)


async def ended(own: Session) -> None:
    """Wait until the server has ended the session, having said why."""
    closed = await own.reply()
    assert closed[0] == b"closed", closed
    try:
        await own.reply()
    except GONE:
        return
    sys.exit("something came behind the end")


async def come_back() -> None:
    """Connect until it goes, as a program does that goes on."""
    for _ in range(100):
        try:
            async with session() as own:
                if await own.ask(b"ECHO", b"back") == b"back":
                    return
        except GONE:
            await asyncio.sleep(0.1)
    sys.exit("did not come back")


async def day() -> None:
    """Do what a program does through a day."""
    async with session() as own:
        assert await own.ask(b"ECHO", BINARY) == BINARY
        assert await own.ask(b"ECHO", LONG) == LONG
        assert b" transport=quic " in await own.ask(b"CLIENT", b"LIST")
        for number in range(1000):
            own.send(b"ECHO", b"%d" % number)
        assert [await own.reply() for _ in range(1000)] == [b"%d" % number for number in range(1000)]
        await tell("ready")
        await ended(own)
    await come_back()
    async with session() as own:
        await tell("back")
        await ended(own)
    await come_back()
    await tell("back")


asyncio.run(day())
