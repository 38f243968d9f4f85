"""What every test may use: certificates made once, and real servers in this process on ports of their own."""

from __future__ import annotations

import gc
import os
import signal
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest

from secure_client.connection.tls import TlsSocket
from secure_server.pki.ensure import Request, ensure
from tests.integration import peers
from tests.integration.running import Running

os.environ["LC_ALL"] = "C.UTF-8"  # tests compare English sentences; those of other languages choose their own

# CPython before 3.13 leaves a socket open that was reset before TLS began, and the collector warns of it in any test.
ssl.SSLContext.sslsocket_class = TlsSocket

# A shell starts its background jobs with SIGINT ignored, and whoever they start inherits that: Ctrl-C would do nothing.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no fault of what is tested. Three times as many examples are tried with --long.
hypothesis.settings.register_profile("suite", deadline=None, max_examples=33)
hypothesis.settings.register_profile("long", deadline=None, max_examples=100)
hypothesis.settings.load_profile("suite")


@pytest.fixture(autouse=True)
def garbage() -> Iterator[None]:
    """Look for garbage in what a program left unlooked that ended in this process, see `secure_client.starting`."""
    yield
    gc.unfreeze()


ServerFactory = Callable[..., Running]
"""`server(limits={"max_clients": 1}, …)`: tables and keys as in the configuration file."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long`: also the tests that prove more by taking longer."""
    parser.addoption("--long", action="store_true", help="run the tests marked `long`, too")


def pytest_configure(config: pytest.Config) -> None:
    """Have Hypothesis try more with `--long`."""
    if config.getoption("--long"):
        hypothesis.settings.load_profile("long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long, unless it is asked for."""
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.hookimpl(optionalhook=True)  # xdist may be left out
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: a quarter of the time each waits, for a handshake or a terminal."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a CA and a server's certificate for localhost, made once; copy it before changing it."""
    directory = tmp_path_factory.mktemp("certificates")
    ensure(Request(directory))
    return directory


@pytest.fixture(autouse=True)
def _peers_of_a_failure_closed() -> Iterator[None]:
    """Close what a test leaves open that failed: its traceback holds it until the collector runs, in another test."""
    yield
    for peer in list(peers.made):
        peer.close()
    peers.made.clear()


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """No coverage of the processes that this test starts, which takes half as long; others reach those lines."""
    for variable in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def server(certificates: Path, tmp_path: Path) -> Iterator[ServerFactory]:
    """Start a server for each call, with a data directory of its own; all are stopped in the end."""
    with ExitStack() as started:

        def start(**overrides: object) -> Running:
            data = tmp_path / f"data{len(list(tmp_path.glob('data*')))}"
            return started.enter_context(Running(certificates, data, overrides))

        yield start
