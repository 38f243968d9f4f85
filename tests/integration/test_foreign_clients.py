"""Programs that others wrote, talking to the server as their users would."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator

import pexpect
import pytest
import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry

from secure_server.auth.principal import Role
from tests.conftest import ServerFactory
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.running import Running, eventually

RedisFactory = Callable[..., redis.Redis]


@pytest.fixture
def running(server: ServerFactory) -> Running:
    """A server."""
    return server()


def needs(program: str, package: str) -> pytest.MarkDecorator:
    """Skip where a program is missing, and say which Debian package has it."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}: apt-get install {package}")


def pipe(argv: list[str], lines: list[str], environment: dict[str, str] | None = None) -> list[str]:
    """Run a program with these lines on its standard input, then its end; return the lines it printed."""
    done = subprocess.run(
        argv,
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def ncat(running: Running) -> list[str]:
    """Ncat with the server's certificate verified."""
    return ["ncat", "--ssl-verify", "--ssl-trustfile", str(running.ca), "localhost", str(running.port)]


def socat(running: Running) -> list[str]:
    """Socat with the server's certificate verified."""
    return ["socat", "-", f"OPENSSL:localhost:{running.port},cafile={running.ca}"]


LINE_CLIENTS = [
    pytest.param(ncat, marks=needs("ncat", "ncat"), id="ncat"),
    pytest.param(socat, marks=needs("socat", "socat"), id="socat"),
]


@needs("openssl", "openssl")
@pytest.mark.parametrize(
    ("locale", "received", "unknown"),
    [
        ("en", "ECHO: Command received successfully.", "ERROR: Unknown command."),
        ("pt_BR", "ECHO: Comando recebido com sucesso.", "ERROR: Comando não reconhecido."),
    ],
)
def test_a_person_types_into_openssl(running: Running, locale: str, received: str, unknown: str) -> None:
    """`openssl s_client` and a keyboard are enough, in the owner's words and in both languages."""
    verified = ["-verify_return_error", "-CAfile", str(running.ca)]
    argv = ["s_client", "-quiet", *verified, "-connect", f"localhost:{running.port}"]
    typed = pexpect.spawn("openssl", argv, timeout=PATIENCE_SECONDS, encoding="utf-8", echo=False)
    for line, answer in [
        ("ECHO", "ERROR: NOAUTH Authentication required: AUTH <token>."),
        (f"AUTH {running.token()}", "OK"),
        (f"LANG {locale}", "OK"),
        ("ECHO", received),
        ("ECHO olá  mundo", "ECHO: olá mundo"),
        ("FROBNICATE", unknown),
    ]:
        typed.sendline(line)
        typed.expect_exact(f"{answer}\r\n")
    typed.sendline("TIME")
    typed.expect(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d\r\n")
    typed.sendline("EXIT")
    typed.expect(pexpect.EOF)
    typed.close()
    assert typed.exitstatus == 0
    assert "Goodbye." in typed.before or locale != "en"


@pytest.mark.parametrize("client", LINE_CLIENTS)
def test_everything_asked_before_the_end_of_input_is_answered(
    running: Running, client: Callable[[Running], list[str]]
) -> None:
    """A script may send all its lines and end its side at once: commands on workers are answered, too."""
    script = [f"AUTH {running.token(Role.ADMIN)}", "ECHO bye", "KICK 99", "ECHO after", "KICK 98"]
    assert pipe(client(running), script) == [
        "OK",
        "ECHO: bye",
        "ERROR: No client has the id 99; CLIENTS lists them.",
        "ECHO: after",
        "ERROR: No client has the id 98; CLIENTS lists them.",
    ]
    eventually(lambda: "reason=peer-closed" in running.log())


@pytest.mark.parametrize("client", LINE_CLIENTS)
def test_a_line_client_leaves_with_exit(running: Running, client: Callable[[Running], list[str]]) -> None:
    """`EXIT` says goodbye and ends the program, with success; what stands behind it is not run."""
    script = [f"AUTH {running.token()}", "EXIT", "ECHO never"]
    assert pipe(client(running), script) == ["OK", "Goodbye."]


@needs("redis-cli", "redis-tools")
@pytest.mark.parametrize("version", [[], ["-3"]], ids=["RESP2", "RESP3"])
def test_redis_cli_runs_our_commands(running: Running, version: list[str]) -> None:
    """`redis-cli --tls` works as with Redis, and gets the token from its environment, not from argv."""
    cli = ["redis-cli", "--tls", "--cacert", str(running.ca), "-h", "localhost", "-p", str(running.port), *version]
    secret = {"REDISCLI_AUTH": running.token(Role.ADMIN)}
    answers = pipe(cli, ["PING", "ECHO hello", "TIME", "CLIENT LIST", "NOSUCH"], secret)
    text = "\n".join(answers)
    assert answers[:2] == ["PONG", "hello"]
    assert abs(int(answers[2]) - time.time()) < PATIENCE_SECONDS
    assert 0 <= int(answers[3]) < 1_000_000
    assert f"user=admin redir=-1 resp={3 if version else 2}" in text
    assert "ERR Unknown command." in text


@needs("redis-cli", "redis-tools")
def test_redis_cli_pipes_many_requests(running: Running) -> None:
    """`--pipe` puts a line end behind what it was given, and waits for the reply to what it sends after that."""
    cli = ["redis-cli", "--tls", "--cacert", str(running.ca), "-h", "localhost", "-p", str(running.port), "--pipe"]
    ping = "*1\r\n$4\r\nPING\r\n"
    answers = pipe(cli, [f"{ping}\r\n{ping}\n*0\r\n*-1\r\n{ping}"], {"REDISCLI_AUTH": running.token()})
    assert answers[-1] == "errors: 0, replies: 3"


@needs("redis-cli", "redis-tools")
def test_redis_cli_is_told_of_a_wrong_token(running: Running) -> None:
    """A refused token and what follows are errors in Redis' own codes."""
    cli = ["redis-cli", "--tls", "--cacert", str(running.ca), "-h", "localhost", "-p", str(running.port)]
    text = "\n".join(pipe(cli, ["PING"], {"REDISCLI_AUTH": "scs_wrong"}))
    assert "NOAUTH" in text


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def redis_py(request: pytest.FixtureRequest, running: Running) -> Iterator[RedisFactory]:
    """Make redis-py clients of the server."""
    made: list[redis.Redis] = []

    def make(token: str) -> redis.Redis:
        made.append(
            redis.Redis(
                host="localhost",
                port=running.port,
                password=token,
                ssl=True,
                ssl_ca_certs=str(running.ca),
                ssl_min_version=ssl.TLSVersion.TLSv1_3,
                protocol=request.param,
                decode_responses=True,
                socket_timeout=PATIENCE_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )
        )
        return made[-1]

    yield make
    for client in made:
        client.close()


def test_redis_py_runs_our_commands(running: Running, redis_py: RedisFactory) -> None:
    """A Redis library parses every reply whose shape Redis defines."""
    client = redis_py(running.token(Role.ADMIN))
    assert client.ping() is True
    assert client.echo("olá") == "olá"
    seconds, microseconds = client.time()
    assert abs(seconds - time.time()) < PATIENCE_SECONDS
    assert 0 <= microseconds < 1_000_000
    assert client.acl_whoami() == "admin"
    (row,) = client.client_list()
    assert (row["user"], row["id"], row["tls"]) == ("admin", str(client.client_id()), "TLSv1.3")


def test_redis_py_kills_clients(running: Running, redis_py: RedisFactory) -> None:
    """Both forms of CLIENT KILL close the right session, and tell it why."""
    admin = redis_py(running.token(Role.ADMIN))
    with running.resp() as by_filter, running.resp() as by_address:
        assert admin.client_kill_filter(_id=str(by_filter.ask("CLIENT", "ID"))) == 1
        host, port = by_address.socket.getsockname()
        assert admin.client_kill(f"{host}:{port}") is True
        for killed in (by_filter, by_address):
            (farewell,) = killed.rest()
            assert str(farewell).count("kicked") == 1
    with pytest.raises(redis.ResponseError, match="No such client"):
        admin.client_kill("127.0.0.1:1")


def test_redis_py_raises_its_own_errors(running: Running, redis_py: RedisFactory) -> None:
    """A refused token and a missing permission are the exceptions that Redis users catch."""
    with pytest.raises(redis.AuthenticationError):
        redis_py("scs_wrong").ping()
    with pytest.raises(NoPermissionError):
        redis_py(running.token()).client_list()
