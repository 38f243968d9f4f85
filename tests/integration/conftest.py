"""A place that other users may enter, too, and servers that ask for client certificates."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secure_server.pki.ensure import Request, ensure
from tests.conftest import ServerFactory
from tests.integration.datagram_proxy import DatagramProxy
from tests.integration.running import Running

Start = Callable[..., Running]
"""`start("optional", {"alice": {"role": "user"}}, limits={"max_clients": 1}, …)`."""


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that every user may enter; those that pytest makes are closed to others."""
    with tempfile.TemporaryDirectory(prefix="secure-server-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate directory with a CA, a server, and the clients alice and bob; not to be changed."""
    directory = tmp_path_factory.mktemp("pki")
    ensure(Request(directory, clients=("alice", "bob")))
    return directory


@pytest.fixture
def start(server: ServerFactory, pki: Path) -> Start:
    """Start a server that asks for certificates."""

    def with_certificates(
        wanted: str, mapped: dict[str, dict[str, object]] | None = None, **overrides: object
    ) -> Running:
        tls = {"client_certificates": wanted}
        return server(**({"certs_dir": str(pki), "tls": tls, "certificates": mapped or {}} | overrides))

    return with_certificates


@pytest.fixture
def proxy(running: Running) -> Iterator[DatagramProxy]:
    """A network before the server `running`, for what comes over QUIC."""
    with DatagramProxy(running.quic_port) as network:
        yield network
