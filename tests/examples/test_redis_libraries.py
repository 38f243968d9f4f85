"""What Redis' own clients do besides asking: hints while a person types, pushes, pipelines without replies."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
from pathlib import Path

import pexpect
import pytest
import redis

from secure_server.auth.principal import Role
from tests.conftest import ServerFactory
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.running import Running, eventually


@pytest.fixture
def running(server: ServerFactory) -> Running:
    """A server."""
    return server()


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="needs redis-cli: apt-get install redis-tools")
@pytest.mark.parametrize("version", [[], ["-3"]], ids=["RESP2", "RESP3"])
def test_redis_cli_hints_our_commands(running: Running, version: list[str]) -> None:
    """It asks COMMAND DOCS when it starts, shows the syntax while a person types, and explains with `help`."""
    typed = pexpect.spawn(
        "redis-cli",
        ["--tls", "--cacert", str(running.ca), "-h", "localhost", "-p", str(running.port), *version],
        env={
            **os.environ,
            "REDISCLI_AUTH": running.token(Role.ADMIN),
            "TERM": "xterm",
            "REDISCLI_HISTFILE": "/dev/null",
        },
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        dimensions=(40, 120),
    )
    typed.expect_exact("> ")
    for line, hint in [
        ("kick ", "whom [more [more ...]]"),
        ("client setname ", "name"),
        ("notify ", "on|off"),
        ("broadcast ", "[--role user|operator|admin]"),
    ]:
        typed.send(line)
        typed.expect_exact(hint)
        typed.send("\x15")
    typed.send("help kick\r")
    typed.expect_exact("summary:")
    typed.expect_exact("Close a client's connection, or all that a filter chooses")
    typed.send("ECHO done\r")
    typed.expect_exact('"done"')
    typed.send("quit\r")
    typed.expect(pexpect.EOF)
    typed.close()
    assert typed.exitstatus == 0


def library(running: Running, version: int) -> redis.Redis:
    """A redis-py client of an admin."""
    return redis.Redis(
        host="localhost",
        port=running.port,
        password=running.token(Role.ADMIN),
        ssl=True,
        ssl_ca_certs=str(running.ca),
        ssl_min_version=ssl.TLSVersion.TLSv1_3,
        protocol=version,
        decode_responses=True,
        socket_timeout=PATIENCE_SECONDS,
        single_connection_client=True,
    )


@pytest.mark.parametrize("version", [2, 3], ids=["RESP2", "RESP3"])
def test_redis_py_reads_what_redis_defines(running: Running, version: int) -> None:
    """INFO becomes numbers, COMMAND a description, and what clients set is taken."""
    with library(running, version) as client:
        info = client.info("server")
        assert (info["redis_mode"], info["uptime_in_days"]) == ("standalone", 0)
        assert client.info()["connected_clients"] == 1
        assert client.command_count() == len(client.command_list()) - sum("|" in name for name in client.command_list())
        assert client.command()["kick"]["arity"] == -2
        assert client.execute_command("COMMAND INFO", "nosuch") in ({}, [None])
        assert client.client_no_evict("ON") == client.client_no_touch("ON") == "OK"
        assert client.select(0) is True
        assert client.client_info()["user"] == "admin"


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server: apt-get install redis-server")
def test_a_client_is_described_by_the_fields_of_a_real_redis(running: Running, tmp_path: Path) -> None:
    """Those of the redis-server that is installed here, in its order; newer ones may be among them."""
    path = tmp_path / "redis.sock"
    argv = ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as real:
        try:
            eventually(path.exists)
            with redis.Redis(unix_socket_path=str(path), socket_timeout=PATIENCE_SECONDS) as client:
                theirs = [*client.client_list()[0]]
        finally:
            real.terminate()
    with library(running, 2) as client:
        ours = [*client.client_list()[0]]
    assert [field for field in ours if field in theirs] == theirs


@pytest.mark.parametrize("version", [2, 3], ids=["RESP2", "RESP3"])
def test_a_pipeline_without_replies_goes_through_unheard(running: Running, version: int) -> None:
    """`CLIENT REPLY OFF … ON` and `SKIP` around commands, some of them on workers: the rest is answered in order."""
    with running.resp(running.token(Role.ADMIN), version) as peer:
        for words in [
            ("CLIENT", "REPLY", "OFF"),
            *[("ECHO", str(number)) for number in range(100)],
            ("CLIENTS",),
            ("NOSUCH",),
            ("CLIENT", "REPLY", "ON"),
            ("CLIENT", "REPLY", "SKIP"),
            ("CLIENTS",),
            ("ECHO", "heard"),
        ]:
            peer.request(*words)
        assert [peer.reply(), peer.reply(), peer.ask("ECHO", "after")] == ["OK", "heard", "after"]


NODE_REDIS = """
import { readFileSync } from "node:fs";
import { createClient } from "redis";
const make = () => createClient({
  RESP: Number(process.env.RESP), password: process.env.TOKEN,
  socket: { tls: true, host: "localhost", port: Number(process.env.PORT), ca: readFileSync(process.env.CA) },
});
const [client, admin] = [make(), make()];
await client.connect();
await admin.connect();
const told = await admin.sendCommand(["BROADCAST", "hello"]);
console.log(JSON.stringify({
  told,
  ping: await client.ping(),
  list: (await client.clientList()).map((row) => row.user),
  user: (await client.clientInfo()).user,
  who: await client.aclWhoAmI(),
  count: await client.commandCount(),
  docs: (await client.commandInfo(["kick"]))[0].arity,
  mode: (await client.info("server")).includes("redis_mode:standalone"),
  many: (await Promise.all([client.echo("a"), client.sendCommand(["CLIENTS"]), client.echo("b")])).length,
}));
await client.close();
await admin.close();
"""

IOREDIS = """
import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
const client = new Redis({
  host: "localhost", port: Number(process.env.PORT), password: process.env.TOKEN, connectionName: "worker-7",
  tls: { ca: readFileSync(process.env.CA) },
});
console.log(JSON.stringify({
  ping: await client.ping("x"),
  name: await client.client("GETNAME"),
  select: await client.select(0),
  list: (await client.client("LIST")).includes("user=admin"),
  info: (await client.info("clients")).includes("connected_clients:1"),
  pipeline: (await client.pipeline().echo("a").call("NOSUCH").echo("b").exec())
    .map(([error, value]) => error?.message ?? value),
  echo: (await client.command("INFO", "echo"))[0].slice(0, 2),
}));
await client.quit();
"""


def script(node: Path, running: Running, code: str, **more: str) -> dict[str, object]:
    """Run a module where the packages are, and return what it printed."""
    variables = {"PORT": str(running.port), "CA": str(running.ca), "TOKEN": running.token(Role.ADMIN), **more}
    done = subprocess.run(
        ["node", "--input-type=module", "-e", code],
        cwd=node,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS * 3,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert isinstance(printed, dict)
    return printed


@pytest.mark.parametrize(("version", "told"), [("2", 0), ("3", 1)])
def test_node_redis_reads_replies_and_survives_pushes(node: Path, running: Running, version: str, told: int) -> None:
    """It parses every shape that Redis defines; a message is no reply of any request."""
    printed = script(node, running, NODE_REDIS, RESP=version)
    count = printed.pop("count")
    assert isinstance(count, int)
    assert count > 10
    assert printed == {
        "told": told,
        "ping": "PONG",
        "list": ["admin", "admin"],
        "user": "admin",
        "who": "admin",
        "docs": -2,
        "mode": True,
        "many": 3,
    }


def test_ioredis_connects_names_itself_and_pipelines(node: Path, running: Running) -> None:
    """Its ready check reads INFO, and an error in a pipeline is that request's alone."""
    assert script(node, running, IOREDIS) == {
        "ping": "x",
        "name": "worker-7",
        "select": "OK",
        "list": True,
        "info": True,
        "pipeline": ["a", "ERR Unknown command.", "b"],
        "echo": ["echo", -1],
    }
