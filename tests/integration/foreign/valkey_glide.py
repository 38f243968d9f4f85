"""valkey-glide, whose connections are made by its core in Rust."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import glide

BINARY = bytes(range(256)) + b"\r\n"


async def tell(word: str) -> None:
    """Say how far it is, and wait until the test has done its part."""
    print(word, flush=True)
    await asyncio.to_thread(sys.stdin.readline)


async def come_back(client: glide.GlideClient) -> None:
    """Ask until there is an answer, as a program does that goes on."""
    for _ in range(100):
        try:
            if await client.echo("back") == b"back":
                return
        except glide.GlideError:
            await asyncio.sleep(0.1)
    sys.exit("did not come back")


async def main() -> None:
    """Do all of it."""
    tls = glide.TlsAdvancedConfiguration(root_pem_cacerts=Path(os.environ["CA"]).read_bytes())
    client = await glide.GlideClient.create(
        glide.GlideClientConfiguration(
            [glide.NodeAddress("localhost", int(os.environ["PORT"]))],
            use_tls=True,
            credentials=glide.ServerCredentials(os.environ["TOKEN"]),
            protocol=glide.ProtocolVersion.RESP3 if os.environ["RESP"] == "3" else glide.ProtocolVersion.RESP2,
            request_timeout=5000,
            advanced_config=glide.AdvancedGlideClientConfiguration(tls_config=tls),
        )
    )
    assert await client.echo(BINARY) == BINARY
    listed = await client.custom_command(["CLIENT", "LIST"])
    assert b" user=admin " in listed
    batch = glide.Batch(is_atomic=False)
    for number in range(1000):
        batch.echo(str(number))
    assert await client.exec(batch, raise_on_error=True) == [b"%d" % number for number in range(1000)]
    await tell("ready")
    for _ in ("kicked", "drained"):
        await come_back(client)
        await tell("back")
    await client.close()


asyncio.run(main())
