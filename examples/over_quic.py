"""Python, over QUIC, with aioquic. `pip install aioquic`; then SECURE_CLIENT_TOKEN=… python examples/over_quic.py ."""

import asyncio
import os
import socket

from aioquic.asyncio.client import connect
from aioquic.quic.configuration import QuicConfiguration

HOST, PORT = os.environ.get("SECURE_HOST", "localhost"), int(os.environ.get("SECURE_PORT", "5000"))
TOKEN = os.environ["SECURE_CLIENT_TOKEN"]


async def main() -> None:
    """Log in, and ask twice, in lines of text."""
    trusted = QuicConfiguration(
        alpn_protocols=["secure-command/1"], cafile=os.environ.get("SECURE_CA", "certs/ca.pem"), server_name=HOST
    )
    address = socket.gethostbyname(HOST)  # aioquic tries one address alone, and localhost has two
    async with connect(address, PORT, configuration=trusted) as connection:
        reader, writer = await connection.create_stream()  # the session: there is no other stream
        for line in (f"AUTH {TOKEN}", "ECHO hello over QUIC", "WHOAMI"):
            writer.write(f"{line}\n".encode())
            print((await reader.readline()).decode().rstrip())


asyncio.run(main())
