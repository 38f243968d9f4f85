"""Each example does what it shows, against a running server, with the token from its environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ServerFactory
from tests.integration.running import Running

EXAMPLES = Path(__file__).parents[2] / "examples"
SECONDS = 60.0
"""For one example; Java compiles before it runs."""

KNOWN = {
    "redis_py.py": ("", "hello from Python"),
    "redis_cli.sh": ("redis-cli:redis-tools", "hello from redis-cli"),
    "over_quic.py": ("", "hello over QUIC"),
    "openssl.sh": ("openssl:openssl", "hello from openssl"),
    "Hello.java": ("javac:default-jdk-headless", "hello from Java"),
    "node/ioredis.js": ("", "hello from ioredis"),
    "node/redis.js": ("", "hello from node-redis"),
}
"""What each needs, as `program:package`, and what it prints."""
INTERPRETERS = {".py": [sys.executable], ".sh": ["sh"], ".java": ["java"], ".js": ["node"]}


def run(example: str, running: Running, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run an example as its first line says."""
    path = EXAMPLES / example
    variables = {
        "SECURE_CLIENT_TOKEN": running.token(),
        "SECURE_PORT": str(running.port),
        "SECURE_CA": str(running.ca),
        **changed,
    }
    return subprocess.run(
        [*INTERPRETERS[path.suffix], str(path)],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize(
    "example",
    [pytest.param(name, marks=[pytest.mark.long] if name.endswith((".java", ".js")) else []) for name in KNOWN],
)
def test_an_example_runs(example: str, server: ServerFactory, request: pytest.FixtureRequest) -> None:
    """It authenticates, has its words echoed, learns who it is, and ends well."""
    needs, said = KNOWN[example]
    program, _, package = needs.partition(":")
    if program and shutil.which(program) is None:
        pytest.skip(f"needs {program}: apt-get install {package}")
    if example.startswith("node/"):
        request.getfixturevalue("node")
    running = server(quic={"enabled": True}) if example == "over_quic.py" else server()
    done = run(example, running)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert "user (user)" in done.stdout


@pytest.mark.parametrize(
    "example", ["openssl.sh", *(pytest.param(one, marks=pytest.mark.long) for one in ("node/redis.js", "Hello.java"))]
)
def test_an_example_trusts_nobody_else(
    example: str, server: ServerFactory, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """With the CA of another server it fails, before it has sent its token."""
    program = KNOWN[example][0].partition(":")[0]
    if program and shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    if example.startswith("node/"):
        request.getfixturevalue("node")
    running = server()
    foreign = tmp_path / "foreign"
    made = [sys.executable, "-m", "secure_server", "certs", "ensure", "--dir", str(foreign)]
    subprocess.run(made, check=True, capture_output=True, cwd=EXAMPLES.parent)
    try:
        done = run(example, running, SECURE_CA=str(foreign / "ca.pem"))
    finally:
        log = running.log()
    assert "hello" not in done.stdout
    assert "authentication" not in log


def test_every_example_is_run() -> None:
    """None stands there untried; `ops` has tests of its own."""
    found = {
        path.relative_to(EXAMPLES).as_posix()
        for path in EXAMPLES.rglob("*.*")
        if path.suffix in INTERPRETERS and not {"node_modules", "ops", "__pycache__"} & set(path.parts)
    }
    assert found >= KNOWN.keys()
    assert found - KNOWN.keys() == set()
