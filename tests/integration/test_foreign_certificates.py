"""Programs that others wrote, and our own client as a program, showing a client certificate."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.integration.conftest import Start
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.program import ROOT
from tests.integration.running import Running
from tests.integration.test_foreign_clients import needs, pipe

ALICE = {"alice": {"role": "operator"}}


def shown(pki: Path, name: str) -> tuple[str, str]:
    """The files of a client's certificate and key."""
    return str(pki / f"client-{name}.pem"), str(pki / f"client-{name}-key.pem")


def program(running: Running, pki: Path, name: str | None, *words: str) -> list[str]:
    """Our own client's command line."""
    certificate, key = shown(pki, name) if name else ("", "")
    own = ["--cert", certificate, "--key", key] if name else []
    return ["-m", "secure_client", f"localhost:{running.port}", "--ca", str(pki / "ca.pem"), *own, *words]


def environment(home: Path) -> dict[str, str]:
    """A place of its own, and no token in it."""
    kept = {name: value for name, value in os.environ.items() if name != "SECURE_CLIENT_TOKEN"}
    return kept | {"SECURE_CLIENT_HOME": str(home), "PYTHONPATH": str(ROOT)}


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run our own client to its end, without a terminal."""
    return subprocess.run(
        [sys.executable, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        cwd=home,
        env=environment(home),
        check=False,
    )


@needs("openssl", "openssl")
def test_openssl_s_client(start: Start, pki: Path) -> None:
    """A person with openssl is alice at once."""
    running = start("required", ALICE)
    certificate, key = shown(pki, "alice")
    verified = ["-verify_return_error", "-CAfile", str(pki / "ca.pem")]
    argv = ["s_client", "-quiet", *verified, "-connect", f"localhost:{running.port}", "-cert", certificate, "-key", key]
    typed = pexpect.spawn("openssl", argv, timeout=PATIENCE_SECONDS, encoding="utf-8", echo=False)
    typed.sendline("WHOAMI")
    typed.expect_exact("alice (operator)\r\n")
    typed.sendline("EXIT")
    typed.expect(pexpect.EOF)
    typed.close()
    assert typed.exitstatus == 0


@needs("redis-cli", "redis-tools")
def test_redis_cli(start: Start, pki: Path) -> None:
    """`--cert` and `--key`, and no password."""
    running = start("required", ALICE)
    certificate, key = shown(pki, "alice")
    tls = ["--tls", "--cacert", str(pki / "ca.pem"), "--cert", certificate, "--key", key]
    cli = ["redis-cli", *tls, "-h", "localhost", "-p", str(running.port)]
    assert pipe(cli, ["ACL WHOAMI", "PING"]) == ["alice", "PONG"]


@pytest.mark.parametrize("password", [None, "a token"])
@pytest.mark.parametrize("version", [2, 3], ids=["RESP2", "RESP3"])
def test_redis_py(start: Start, pki: Path, password: str | None, version: int) -> None:
    """With a certificate alone it is the certificate's; where a token is configured besides, the token's."""
    running = start("required", ALICE)
    certificate, key = shown(pki, "alice")
    client = redis.Redis(
        host="localhost",
        port=running.port,
        password=password and running.token(),
        ssl=True,
        ssl_ca_certs=str(pki / "ca.pem"),
        ssl_certfile=certificate,
        ssl_keyfile=key,
        protocol=version,
        decode_responses=True,
        socket_timeout=PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        assert client.acl_whoami() == ("user" if password else "alice")
        assert client.ping() is True
    finally:
        client.close()


def test_our_program_asks_for_no_token(start: Start, pki: Path, tmp_path: Path) -> None:
    """`--cert` and `--key` are enough, also from a saved profile, which says where the token is not."""
    running = start("required", ALICE)
    done = run(tmp_path, *program(running, pki, "alice", "-c", "WHOAMI"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "alice (operator)\n", "")
    certificate, key = shown(pki, "alice")
    saved = ["--ca", str(pki / "ca.pem"), "--cert", certificate, "--key", key]
    added = run(tmp_path, "-m", "secure_client", "profile", "add", "work", f"localhost:{running.port}", *saved)
    assert added.returncode == 0
    assert run(tmp_path, "-m", "secure_client", "work", "-c", "WHOAMI").stdout == "alice (operator)\n"
    assert run(tmp_path, "-m", "secure_client", "profile", "list").stdout.splitlines()[1].endswith("  certificate")


def test_our_program_says_what_is_wrong(start: Start, pki: Path, tmp_path: Path) -> None:
    """One sentence, exit code 4, no second try; and what it needs where there is nobody to ask."""
    running = start("required", ALICE)
    token = tmp_path / "token"
    token.write_text(running.token(), encoding="ascii")
    without = run(tmp_path, *program(running, pki, None, "--token-file", str(token), "-c", "PING"))
    assert (without.returncode, without.stdout) == (4, "")
    sentence = f"localhost:{running.port} requires a client certificate: give one with --cert and --key.\n"
    assert without.stderr == sentence
    bob = run(tmp_path, *program(running, pki, "bob", "-c", "PING"))
    assert bob.returncode == 4
    assert "takes your client certificate, and wants a token besides" in bob.stderr
    assert run(tmp_path, *program(running, pki, "bob", "--token-file", str(token), "-c", "WHOAMI")).stdout == (
        "user (user)\n"
    )


def test_our_program_asks_for_the_token_once_the_server_wants_one(start: Start, pki: Path, tmp_path: Path) -> None:
    """On a terminal, after the certificate did not stand in for it."""
    running = start("required", ALICE)
    typed = pexpect.spawn(
        sys.executable,
        program(running, pki, "bob", "-c", "WHOAMI"),
        timeout=PATIENCE_SECONDS,
        encoding="utf-8",
        cwd=str(tmp_path),
        env=environment(tmp_path),
    )
    typed.expect_exact(f"Token for localhost:{running.port}: ")
    typed.sendline(running.token())
    typed.expect_exact("user (user)")
    typed.expect(pexpect.EOF)
    typed.close()
    assert typed.exitstatus == 0
    assert running.token() not in typed.before
