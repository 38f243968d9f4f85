"""redis-py, as a synchronous program uses it."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import redis

BINARY = bytes(range(256)) + b"\r\n"
RESP: dict[str, Any] = {"protocol": 3} if os.environ["RESP"] == "3" else {}

client = redis.Redis(
    host="localhost",
    port=int(os.environ["PORT"]),
    password=os.environ["TOKEN"],
    ssl=True,
    ssl_ca_certs=os.environ["CA"],
    **RESP,
)


def tell(word: str) -> None:
    """Say how far it is, and wait until the test has done its part."""
    print(word, flush=True)
    sys.stdin.readline()


def come_back() -> None:
    """Ask until there is an answer, as a program does that goes on."""
    for _ in range(100):
        try:
            if client.echo("back") == b"back":
                return
        except redis.ConnectionError:
            time.sleep(0.1)
    sys.exit("did not come back")


assert client.echo(BINARY) == BINARY
assert client.client_info()["user"] == "admin"
assert [row["user"] for row in client.client_list()] == ["admin"]
pipeline = client.pipeline(transaction=False)
for number in range(1000):
    pipeline.echo(number)
assert pipeline.execute() == [b"%d" % number for number in range(1000)]
tell("ready")
for _ in ("kicked", "drained"):
    come_back()
    tell("back")
client.close()
