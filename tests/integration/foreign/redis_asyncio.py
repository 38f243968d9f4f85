"""redis-py, as an asyncio program uses it."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import redis.asyncio

BINARY = bytes(range(256)) + b"\r\n"
RESP: dict[str, Any] = {"protocol": 3} if os.environ["RESP"] == "3" else {}


async def tell(word: str) -> None:
    """Say how far it is, and wait until the test has done its part."""
    print(word, flush=True)
    await asyncio.to_thread(sys.stdin.readline)


async def come_back(client: redis.asyncio.Redis) -> None:
    """Ask until there is an answer, as a program does that goes on."""
    for _ in range(100):
        try:
            if await client.echo("back") == b"back":
                return
        except redis.ConnectionError:
            await asyncio.sleep(0.1)
    sys.exit("did not come back")


async def main() -> None:
    """Do all of it."""
    client = redis.asyncio.Redis(
        host="localhost",
        port=int(os.environ["PORT"]),
        password=os.environ["TOKEN"],
        ssl=True,
        ssl_ca_certs=os.environ["CA"],
        **RESP,
    )
    assert await client.echo(BINARY) == BINARY
    assert (await client.client_info())["user"] == "admin"
    assert [row["user"] for row in await client.client_list()] == ["admin"]
    pipeline = client.pipeline(transaction=False)
    for number in range(1000):
        pipeline.echo(number)
    assert await pipeline.execute() == [b"%d" % number for number in range(1000)]
    await tell("ready")
    for _ in ("kicked", "drained"):
        await come_back(client)
        await tell("back")
    await client.connection_pool.disconnect()


asyncio.run(main())
