"""The page behind nginx and behind Caddy, by the configurations of docs/web.md."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from secure_protocol.resp_requests import encode_request
from secure_server.pki.ensure import Request, ensure
from tests.conftest import ServerFactory
from tests.integration.running import Running, eventually
from tests.integration.test_web import taken

PAGE = Path(__file__).resolve().parents[2] / "docs" / "web.md"
NAME = "ops.example.org"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform == "win32", reason="the proxies are started as POSIX has it"),
]


def block(language: str) -> str:
    """Return the page's one block of that kind."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return str(found)


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Proxy:
    """What browsers connect to.

    Args:
        place: a directory of its own, made here.
    """

    def __init__(self, place: Path) -> None:
        place.mkdir()
        ensure(Request(place / "certs", (NAME,)))
        self.place = place
        self.port = free_port()
        self.origin = f"https://{NAME}:{self.port}"
        self.context = ssl.create_default_context(cafile=str(place / "certs" / "ca.pem"))
        self.context.set_alpn_protocols(["http/1.1"])

    @contextmanager
    def run(self, *argv: str) -> Iterator[None]:
        """Run its program for the time of the block."""
        with (self.place / "said").open("wb") as said:
            process = subprocess.Popen(
                argv,
                cwd=self.place,
                env=os.environ | dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(self.place)),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        try:
            eventually(lambda: self._listens() or process.poll() is not None)
            assert process.poll() is None, (self.place / "said").read_text(encoding="utf-8")
            yield
        finally:
            process.terminate()
            process.wait(20)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def ask(self, path: str) -> tuple[int, bytes]:
        """Make a request as a browser does."""
        connection = http.client.HTTPSConnection(NAME, self.port, context=self.context, timeout=20)
        connection._create_connection = lambda *_more: socket.create_connection(("127.0.0.1", self.port), 20)  # type: ignore[attr-defined] # the name is in no DNS
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    @contextmanager
    def session(self, origin: str) -> Iterator[ClientConnection]:
        """Open a session as the page does."""
        sock = socket.create_connection(("127.0.0.1", self.port), 20)
        with connect(
            f"{self.origin.replace('https', 'wss')}/v1/session",
            sock=sock,
            ssl=self.context,
            subprotocols=[Subprotocol("secure-command.1")],
            origin=Origin(origin),
            compression=None,
        ) as page:
            yield page


@pytest.fixture
def proxy(tmp_path: Path) -> Proxy:
    """One that is not started yet."""
    return Proxy(tmp_path / "proxy")


def upstream(running: Running) -> str:
    """Return where proxies find the server."""
    (http,) = (listener for listener in running.server.listeners if listener.transport == "http")
    return f"https://{http.addresses[0]}"


@contextmanager
def nginx(proxy: Proxy, running: Running) -> Iterator[None]:
    """Start nginx with the page's configuration."""
    mine = {
        "listen 443 ssl": f"listen 127.0.0.1:{proxy.port} ssl",
        "/etc/ssl/ops.example.org.pem": str(proxy.place / "certs" / "server.pem"),
        "/etc/ssl/ops.example.org-key.pem": str(proxy.place / "certs" / "server-key.pem"),
        "https://127.0.0.1:5443": upstream(running),
        "/etc/secure-server/ca.pem": str(running.ca),
    }
    temporary = "\n".join(
        f"{kind}_temp_path {proxy.place}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = (
        f"daemon off; pid {proxy.place}/pid; error_log stderr; worker_processes 1; events {{}}\n"
        f"http {{ access_log off; {temporary}\n{changed(block('nginx'), mine)} }}\n"
    )
    (proxy.place / "nginx.conf").write_text(configuration, encoding="utf-8")
    with proxy.run("nginx", "-e", "stderr", "-c", str(proxy.place / "nginx.conf")):
        yield


@contextmanager
def caddy(proxy: Proxy, running: Running) -> Iterator[None]:
    """Start Caddy with the page's configuration."""
    certificate = f"tls {proxy.place}/certs/server.pem {proxy.place}/certs/server-key.pem"
    mine = {
        "ops.example.org {": f"{proxy.origin} {{\n    bind 127.0.0.1\n    {certificate}",
        "https://127.0.0.1:5443": upstream(running),
        "/etc/secure-server/ca.pem": str(running.ca),
    }
    everywhere = "{\n    admin off\n    auto_https off\n}\n"
    (proxy.place / "Caddyfile").write_text(everywhere + changed(block("caddyfile"), mine), encoding="utf-8")
    with proxy.run("caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"):
        yield


def changed(text: str, values: dict[str, str]) -> str:
    """Put values of this test in the place of the page's; each is there."""
    for old, new in values.items():
        assert old in text
        text = text.replace(old, new)
    return text


KINDS = {"nginx": nginx, "caddy": caddy}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """A proxy that is installed."""
    name = str(request.param)
    if shutil.which(name) is None:
        pytest.skip(f"needs {name}: apt-get install {name}")
    return name


def test_the_page_and_its_session(kind: str, proxy: Proxy, server: ServerFactory) -> None:
    """The page comes, a session opens and answers; another page's is refused, and so it is without `web.url`."""
    running = server(web={"enabled": True, "url": proxy.origin, "addresses": ["127.0.0.1:0"]})
    with KINDS[kind](proxy, running):
        assert proxy.ask("/")[0] == 200
        assert proxy.ask("/nothing")[0] == 404
        with proxy.session(proxy.origin) as page:
            page.send(encode_request([b"AUTH", running.token().encode()]))
            assert taken(page) == b"+OK\r\n"
            page.send(encode_request([b"ECHO", b"x" * 50_000]))
            assert len(taken(page)) > 50_000
        with pytest.raises(InvalidStatus, match="403"), proxy.session("https://evil.example"):
            pass


def test_a_name_that_the_server_was_not_told(kind: str, proxy: Proxy, server: ServerFactory) -> None:
    """It is refused, and the log names the setting."""
    running = server(web={"enabled": True, "addresses": ["127.0.0.1:0"]})
    with KINDS[kind](proxy, running):
        assert proxy.ask("/")[0] == 421
