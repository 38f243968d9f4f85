"""Redis' clients in many languages and versions, each doing what a program does with it through a day.

`foreign` has a program for each library: it logs in, has bytes echoed, lists the clients, sends 1,000 requests at once,
and then comes back after it was kicked, and after a drain. docs/clients.md has the table of what was tried.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from secure_server.auth.principal import Role
from tests import packages
from tests.conftest import ServerFactory
from tests.integration.peers import RespPeer
from tests.integration.running import Running, eventually

FOREIGN = Path(__file__).parent / "foreign"
SECONDS = 120.0
"""For all that a program does; most take two or three, and ten where both cores are busy."""

PYTHON = {
    "redis-py 4.6": "redis==4.6.*",
    "redis-py 5.2": "redis==5.2.*",
    "redis-py 6.4": "redis==6.4.*",
    "redis-py newest": "redis",
    "valkey-glide newest": "valkey-glide",
}
"""What pip is asked for."""
QUIC = {"aioquic": "aioquic", "qh3": "qh3"}
"""What pip is asked for, by the name to import."""
NODE = {
    "redis4": "redis@4",
    "redis5": "redis@5",
    "redis-newest": "redis@latest",
    "ioredis5": "ioredis@5",
    "ioredis-newest": "ioredis@latest",
}
"""What npm is asked for, by the name under which it is installed beside the others."""
DEBIAN = {
    "phpredis.php": (["php"], "php -r 'new Redis;'", "php-cli php-redis"),
    "redis_rb.rb": (["ruby"], "ruby -rredis -e 1", "ruby ruby-redis"),
    "redis_perl.pl": (["perl"], "perl -MRedis -MIO::Socket::SSL -e 1", "libredis-perl libio-socket-ssl-perl"),
    "redigo.go": ([], "go version", "golang-go golang-github-gomodule-redigo-dev"),
}
"""The interpreter of a program, what succeeds where all is there, and the packages that have it."""

pytestmark = pytest.mark.long


@pytest.fixture
def running(server: ServerFactory) -> Running:
    """A server."""
    return server()


@pytest.fixture(autouse=True)
def _unmeasured(unmeasured: None) -> None:
    """Nothing of ours runs in these programs."""


@pytest.fixture(scope="session")
def kept(pytestconfig: pytest.Config) -> Path:
    """Where libraries stay from one run of the tests to the next."""
    return packages.kept(pytestconfig)


@pytest.fixture(scope="session")
def node_libraries(kept: Path) -> Path:
    """A directory whose scripts find the libraries of `NODE`."""
    return packages.node_packages(kept, NODE)


def a_day(running: Running, argv: list[str], cwd: Path = FOREIGN, **more: str) -> None:
    """Run a program, and do to it meanwhile what it waits for."""
    token = running.token(Role.ADMIN)
    variables = {"PORT": str(running.port), "CA": str(running.ca), "TOKEN": token, "RESP": "2", **more}
    with subprocess.Popen(
        argv,
        cwd=cwd,
        env={**os.environ, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        patience = threading.Timer(SECONDS, program.kill)
        patience.start()
        try:
            told(program, "ready")
            with RespPeer(running.tls()) as peer:
                peer.hello(running.new_token("boss", Role.ADMIN).reveal())
                assert peer.ask("CLIENT", "KILL", "USER", "admin") in (1, 2)
            eventually(lambda: "reason=kicked" in running.log())
            go_on(program)
            told(program, "back")
            running.restart()
            assert "reason=draining" in running.log()
            go_on(program)
            told(program, "back")
            go_on(program)
            _, errors = program.communicate(timeout=SECONDS)
            assert program.returncode == 0, errors
        finally:
            patience.cancel()
            program.kill()


def told(program: subprocess.Popen[str], word: str) -> None:
    """Wait for a word of the program; what it says instead is what is wrong with it."""
    assert program.stdout is not None
    line = program.stdout.readline()
    if line != f"{word}\n":
        rest, errors = program.communicate(timeout=SECONDS)
        pytest.fail(f"instead of {word}: {line}{rest}{errors}")


def go_on(program: subprocess.Popen[str]) -> None:
    """Let the program go on."""
    assert program.stdin is not None
    program.stdin.write("\n")
    program.stdin.flush()


@pytest.mark.parametrize("program", ["redis_py.py", "redis_asyncio.py"])
@pytest.mark.parametrize(
    ("library", "resp"),
    [
        ("redis-py 4.6", "2"),
        ("redis-py 5.2", "2"),
        ("redis-py 5.2", "3"),
        ("redis-py 6.4", "2"),
        ("redis-py 6.4", "3"),
        ("redis-py newest", "2"),
        ("redis-py newest", "3"),
    ],
)
def test_redis_py(running: Running, kept: Path, library: str, program: str, resp: str) -> None:
    """Synchronous and asyncio; what a client is described by is read by all of them."""
    path = packages.python_packages(kept, PYTHON[library])
    a_day(running, [sys.executable, program], PYTHONPATH=str(path), RESP=resp)


@pytest.mark.parametrize("library", QUIC)
def test_quic(server: ServerFactory, kept: Path, library: str) -> None:
    """Their own asyncio clients, over the one stream that there is."""
    pytest.importorskip("aioquic", reason="needs aioquic, which the extra `quic` has")
    path = packages.python_packages(kept, QUIC[library])
    running = server(quic={"enabled": True})
    a_day(running, [sys.executable, "over_quic.py"], PYTHONPATH=str(path), LIBRARY=library)


@pytest.mark.parametrize("resp", ["2", "3"], ids=["RESP2", "RESP3"])
def test_valkey_glide(running: Running, kept: Path, resp: str) -> None:
    """It connects to what says that it is a master."""
    path = packages.python_packages(kept, PYTHON["valkey-glide newest"])
    a_day(running, [sys.executable, "valkey_glide.py"], PYTHONPATH=str(path), RESP=resp)


@pytest.mark.parametrize(
    ("library", "resp"),
    [("redis4", "2"), ("redis5", "2"), ("redis5", "3"), ("redis-newest", "2"), ("redis-newest", "3")],
)
def test_node_redis(running: Running, node_libraries: Path, library: str, resp: str) -> None:
    """With a listener for errors, which it needs with a Redis, too."""
    code = (FOREIGN / "node_redis.js").read_text(encoding="utf-8")
    a_day(running, ["node", "--input-type=module", "-e", code], node_libraries, LIBRARY=library, RESP=resp)


@pytest.mark.parametrize("library", ["ioredis5", "ioredis-newest"])
def test_ioredis(running: Running, node_libraries: Path, library: str) -> None:
    """Without a listener for errors."""
    code = (FOREIGN / "ioredis.js").read_text(encoding="utf-8")
    a_day(running, ["node", "--input-type=module", "-e", code], node_libraries, LIBRARY=library)


@pytest.mark.parametrize("program", DEBIAN)
def test_what_the_distribution_has(running: Running, program: str, tmp_path: Path) -> None:
    """PHP, Ruby, Perl and Go."""
    argv, tried, needed = DEBIAN[program]
    if subprocess.run(["sh", "-c", tried], capture_output=True, check=False).returncode:
        pytest.skip(f"needs apt-get install {needed}")
    if program.endswith(".go"):
        built = tmp_path / "redigo"
        sources = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(tmp_path / "cache")}
        done = subprocess.run(
            ["go", "build", "-o", str(built), program],
            cwd=FOREIGN,
            env={**os.environ, **sources},
            capture_output=True,
            text=True,
            timeout=packages.INSTALL_SECONDS,
            check=False,
        )
        if "cannot find package" in done.stderr:
            pytest.skip(f"needs apt-get install {needed}")
        assert done.returncode == 0, done.stderr
        argv, program = [str(built)], "redigo"
    a_day(running, [*argv, program])
