"""Health, metrics and proxies, over real TLS."""

from __future__ import annotations

import contextlib
import http.client
import json
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from secure_protocol.resp_requests import encode_request
from secure_protocol.token import Token
from secure_server.auth.principal import Role, TokenUse
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.commands.builtin.server import metrics as told
from secure_server.limits.bans import Kind, Target
from secure_server.server import DATABASE
from secure_server.starting import StartError
from secure_server.web import metrics as web_metrics
from tests.conftest import ServerFactory
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.running import ELSEWHERE, Running, eventually, logged
from tests.integration.web_peer import BINARY, WebPeer, browser_context, frame, head

HERE = "127.0.0.0/8"
FORWARDED = {"X-Forwarded-For": "203.0.113.1, 198.51.100.7"}
"""What a proxy sends of a client at the second address, who claims to be at the first."""

Got = tuple[int, dict[str, str], str]


@contextlib.contextmanager
def connected(running: Running, source: str = "127.0.0.1") -> Iterator[http.client.HTTPSConnection]:
    """Connect from an address of this machine."""
    connection = http.client.HTTPSConnection(
        "localhost",
        running.port,
        context=browser_context(running.ca),
        timeout=PATIENCE_SECONDS,
        source_address=(source, 0),
    )
    with contextlib.closing(connection):
        yield connection


def get(connection: http.client.HTTPSConnection, path: str, method: str = "GET", **headers: str) -> Got:
    """Make a request."""
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read().decode()


def got(running: Running, path: str, method: str = "GET", source: str = "127.0.0.1", **headers: str) -> Got:
    """Make one, on a connection of its own."""
    with connected(running, source) as connection:
        return get(connection, path, method, **headers)


def strictly(exposition: str) -> set[str]:
    """Return the names of the families that OpenMetrics' own reader finds."""
    found: Iterable[Metric] = read_openmetrics(exposition)  # type: ignore[no-untyped-call] # it has no types
    return {family.name for family in found}


def bearer(token: str) -> str:
    """Return what shows a token."""
    return f"Bearer {token}"


def token(running: Running, name: str, role: Role = Role.USER, **terms: Any) -> str:  # noqa: ANN401 - of `Tokens.create`
    """Make a token that works at once; return what shows it."""
    with SQLiteTokenStorage(running.data / DATABASE) as storage:
        made = Tokens(storage).create(name, role, **terms)
    running.server._entrance.take_in()
    return bearer(made.reveal())


def values(exposition: str) -> dict[str, float]:
    """Read what has no labels, and the rest as it is written."""
    return {
        sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): sample.value
        for family in read_text(exposition)
        for sample in family.samples
    }


# Health


def test_alive_and_ready(server: ServerFactory) -> None:
    """To this machine, without a token and without a session; then not ready, and why."""
    running = server(web={"enabled": True})
    assert got(running, "/healthz")[::2] == (200, "ok\n")
    assert got(running, "/readyz")[::2] == (200, "ok\n")
    assert got(running, "/healthz", "HEAD")[::2] == (200, "")
    assert got(running, "/healthz", "POST")[0] == 405
    assert running.server.sessions.last_number == 0
    running.server.draining.begin(60.0, 5)
    assert got(running, "/healthz")[0] == 200
    status, headers, body = got(running, "/readyz", Accept="application/json")
    assert (status, headers["content-type"], headers["x-content-type-options"]) == (503, "application/json", "nosniff")
    assert list(json.loads(body)["reasons"]) == ["draining"]
    running.server.draining.cancel()
    assert got(running, "/readyz")[0] == 200


def test_not_ready_while_the_token_database_is_unusable(server: ServerFactory) -> None:
    """Nobody could log in, and nobody knows who was revoked."""
    running = server(web={"enabled": True})
    (running.data / DATABASE).rename(running.data / "aside.db")
    eventually(lambda: got(running, "/readyz")[0] == 503)
    assert got(running, "/readyz")[2].startswith("storage: ")
    (running.data / "aside.db").rename(running.data / DATABASE)
    eventually(lambda: got(running, "/readyz")[0] == 200)


def test_a_proxy_on_this_machine_opens_nothing(server: ServerFactory) -> None:
    """Neither health nor metrics, nor the rights of an admin: whoever it forwards is not on this machine."""
    running = server(web={"enabled": True}, metrics={"networks": [HERE]})
    admin = running.token(Role.ADMIN)
    for headers in ({"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}, {"Via": "1.1 x"}, FORWARDED):
        assert got(running, "/healthz", **headers)[0] == 404
        assert got(running, "/readyz", **headers)[0] == 404
        assert got(running, "/metrics", **headers)[0] == 401
        status, _, body = got(running, "/metrics", Authorization=bearer(admin), **headers)
        assert (status, json.loads(body)["error"]["code"]) == (403, "NOPERM")
    assert got(running, "/metrics", Authorization=bearer(admin))[0] == 200
    logged(running, r"a proxy on this machine passes requests on.*web\.proxies = \[\"127\.0\.0\.1\"\]")


@pytest.mark.skipif(sys.platform != "linux", reason="needs 127.0.0.2, which Linux has without asking")
def test_others_find_no_health_unless_they_may(server: ServerFactory) -> None:
    """The address that a named proxy tells is the one that counts."""
    proxied: dict[str, object] = {"enabled": True, "proxies": [ELSEWHERE]}
    running = server(web=proxied | {"health_networks": ["198.51.100.0/24"]})
    assert got(running, "/healthz", source=ELSEWHERE, **FORWARDED)[0] == 200
    assert got(running, "/healthz", source=ELSEWHERE, X_Forwarded_For="203.0.113.1")[0] == 404
    assert got(running, "/healthz", source=ELSEWHERE, X_Forwarded_For="127.0.0.1")[0] == 404
    assert got(running, "/healthz", **FORWARDED)[0] == 404  # who is no proxy cannot say so
    assert got(running, "/healthz", source=ELSEWHERE)[0] == 200  # the proxy itself


# Proxies


def test_a_session_behind_a_proxy_is_where_its_peer_is(server: ServerFactory) -> None:
    """Log, lists, networks of tokens and penalties go by that address, over HTTP and over WebSocket."""
    running = server(web={"enabled": True, "proxies": ["127.0.0.1"]})
    there = token(running, "there", networks=["198.51.100.0/24"])
    elsewhere = token(running, "elsewhere", networks=["203.0.113.0/24"])
    assert got(running, "/v1/run/PING", "POST", Authorization=there, **FORWARDED)[0] == 200
    assert got(running, "/v1/run/PING", "POST", Authorization=elsewhere, **FORWARDED)[0] == 401
    assert got(running, "/v1/run/PING", "POST", Authorization=there)[0] == 401  # by no proxy
    logged(running, r"authentication .*198\.51\.100\.7:\d+ .*outcome=accepted")
    for _ in range(3):
        got(running, "/v1/run/PING", "POST", Authorization=bearer(Token.generate().reveal()), **FORWARDED)
    found = {entry.netblock for entry in running.server._entrance.penalties.entries()}
    assert found == {"198.51.100.7", "127.0.0.1"}


def test_a_page_s_session_behind_a_proxy(server: ServerFactory) -> None:
    """Its peer is the browser's address, where `CLIENTS` and bans see it."""
    running = server(web={"enabled": True, "proxies": ["127.0.0.1"]})
    page = WebPeer(running.port, browser_context(running.ca))
    with page:
        page.send(page.upgrading(X_Forwarded_For="198.51.100.7"))
        assert page.answered().status == 101
        eventually(lambda: len(running.server.sessions) == 1)
        (session,) = running.server.sessions
        assert session.peer.address.startswith("198.51.100.7:")
        assert (session.peer.netblock, session.peer.transport) == ("198.51.100.7", "websocket")


def test_a_ban_of_an_address_holds_behind_a_proxy(server: ServerFactory) -> None:
    """For whom the proxy forwards, and for nobody else who comes by it."""
    running = server(web={"enabled": True, "proxies": ["127.0.0.1"]})
    shown = bearer(running.token())
    running.server._entrance.banning.bans.add([Target(Kind.ADDRESS, "198.51.100.7")], until=None, by="root")
    assert got(running, "/v1/run/PING", "POST", Authorization=shown, **FORWARDED)[0] == 403
    assert got(running, "/v1/run/PING", "POST", Authorization=shown, X_Forwarded_For="198.51.100.8")[0] == 200
    with WebPeer(running.port, browser_context(running.ca)) as page:
        page.send(page.upgrading(X_Forwarded_For="198.51.100.7"))
        assert page.answered().status == 101
        page.send(frame(BINARY, encode_request([b"PING"])))
        assert page.closed().reason == "banned"


def test_an_admin_behind_a_proxy_is_where_it_is(server: ServerFactory) -> None:
    """`admin.networks` are compared with whom the proxy forwards, not with the proxy."""
    running = server(
        web={"enabled": True, "proxies": ["127.0.0.1"]}, admin={"networks": ["127.0.0.0/8", "198.51.100.0/24"]}
    )
    shown = bearer(running.token(Role.ADMIN))
    assert got(running, "/metrics", Authorization=shown, **FORWARDED)[0] == 200
    assert got(running, "/metrics", Authorization=shown, X_Forwarded_For="203.0.113.1")[0] == 403
    assert got(running, "/metrics", Authorization=shown, X_Forwarded_For="127.0.0.1")[0] == 403


def test_a_proxy_s_connection_is_one_request_with_a_token(server: ServerFactory) -> None:
    """Else the next client's request would come over the session of the one before it."""
    running = server(web={"enabled": True, "proxies": ["127.0.0.1"]})
    shown = bearer(running.token())
    with connected(running) as connection:
        assert get(connection, "/", **FORWARDED)[0] == 200
        assert get(connection, "/", X_Forwarded_For="198.51.100.8")[0] == 200  # without one there is no session
        status, headers, _ = get(connection, "/v1/run/PING", "POST", Authorization=shown, **FORWARDED)
        assert (status, headers["connection"]) == (200, "close")
    with connected(running) as connection:  # its own first, and then a client's
        assert get(connection, "/v1/run/PING", "POST", Authorization=shown)[0] == 200
        status, headers, _ = get(connection, "/v1/run/PING", "POST", Authorization=shown, **FORWARDED)
        assert (status, headers["connection"]) == (421, "close")


# Metrics


def test_prometheus_reads_them_without_a_token(server: ServerFactory) -> None:
    """From the networks of the settings; in both formats, and without a session or a login for it."""
    running = server(web={"enabled": True}, metrics={"networks": [HERE]})
    with running.resp() as ada:
        ada.ask("PING")
        eventually(lambda: len(running.server.sessions) == 1)
        with connected(running) as connection:
            status, headers, body = get(connection, "/metrics")
            assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
            found = values(body)
            assert found["secure_server_commands_total command=PING outcome=ok"] == 1
            assert found["secure_server_sessions role=user transport=tls"] == 1
            assert found["secure_server_authentications_total outcome=accepted"] == 1
            assert found["secure_server_workers pool=administrators"] == 2
            assert found["secure_server_ready"] == 1
            assert found["secure_server_certificate_not_after_timestamp_seconds"] > 1.7e9
            accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
            status, headers, body = get(connection, "/metrics", Accept=accept)  # the connection goes on
            assert (status, headers["content-type"].split(";")[0]) == (200, "application/openmetrics-text")
            assert strictly(body) >= {"secure_server_commands", "process_open_fds"}
            assert get(connection, "/metrics", "HEAD")[::2] == (200, "")
            assert get(connection, "/metrics", "POST")[0] == 405
            shown = bearer(running.token())  # who shows a token is whose it is
            assert get(connection, "/metrics", Authorization=shown)[0] == 403
    assert running.server.sessions.last_number == 2


def test_an_admin_reads_them_with_a_token(server: ServerFactory) -> None:
    """By the same admission as any login; nobody else does, and no token is spent for it."""
    running = server(web={"enabled": True})
    shown = bearer(running.token(Role.ADMIN))
    with connected(running) as connection:
        status, headers, body = get(connection, "/metrics", Authorization=shown)
        assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert values(body)["secure_server_sessions role=admin transport=http"] == 1
        accept = "application/openmetrics-text"
        assert strictly(get(connection, "/metrics", Authorization=shown, Accept=accept)[2])
        assert get(connection, "/healthz", Authorization=shown)[0] == 200
        assert get(connection, "/v1/run/PING", "POST", Authorization=shown)[0] == 200
        assert [session.logins for session in running.server.sessions] == [1]
        assert get(connection, "/metrics", "HEAD", Authorization=shown)[::2] == (200, "")
    with WebPeer(running.port, browser_context(running.ca)) as peer:
        lines = [f"Host: {peer.host}", f"Authorization: {shown}"]
        peer.send(head("HEAD /metrics HTTP/1.1", *lines) + head("GET /healthz HTTP/1.1", *lines, "Connection: close"))
        assert peer.rest().count(b"HTTP/1.1 200 OK") == 2
        assert peer.rest().endswith(b"\r\n\r\nok\n")
    status, headers, _ = got(running, "/metrics")
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert got(running, "/metrics", Authorization="Basic YTpi")[0] == 401
    assert got(running, "/metrics", Authorization=bearer(Token.generate().reveal()))[0] == 401
    assert got(running, "/metrics", Authorization=bearer(running.token(Role.OPERATOR)))[0] == 403
    assert got(running, "/metrics", Authorization=token(running, "once", Role.ADMIN, use=TokenUse.ONCE))[0] == 403
    logged(running, "authentication .* outcome=refused unknown")


def test_who_may_read_them_is_taken_up_at_once(server: ServerFactory) -> None:
    """By a reload, for the next request."""
    running = server(web={"enabled": True})
    with connected(running) as connection:
        assert get(connection, "/metrics")[0] == 401
        running.configure(metrics={"networks": [HERE]})
        running.server.reload()
        assert get(connection, "/metrics")[0] == 200


@pytest.mark.parametrize(
    ("missing", "settings", "sentence"),
    [
        (
            "prometheus_client",
            {"web": {"enabled": True}, "metrics": {"networks": [HERE]}},
            "metrics.networks needs the package prometheus_client: pip install 'secure-command-server[metrics]'",
        ),
        (
            "h11",
            {"web": {"enabled": True}},
            "web.enabled needs the package h11: pip install 'secure-command-server[web]'",
        ),
    ],
)
def test_without_a_package_the_server_does_not_start(
    server: ServerFactory, monkeypatch: pytest.MonkeyPatch, missing: str, settings: dict[str, object], sentence: str
) -> None:
    """It says in a sentence what installs it, before anything is open."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == missing else name)
    with pytest.raises(StartError) as caught:
        server(**settings)
    assert str(caught.value) == sentence


def test_without_the_package_who_asks_is_told(server: ServerFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the settings name no networks the server does without; nor does a reload keep it from anything."""
    monkeypatch.delitem(sys.modules, "secure_server.commands.builtin.server.families", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    running = server(web={"enabled": True})
    status, _, body = got(running, "/metrics", Authorization=bearer(running.token(Role.ADMIN)))
    assert (status, "pip install" in body) == (503, True)
    running.configure(metrics={"networks": [HERE]})
    running.server.reload()
    status, _, body = got(running, "/metrics")
    assert (status, "pip install" in body) == (503, True)


def test_who_waits_for_them_may_go(server: ServerFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newcomers' thread waits for no worker; what is made for one who has gone is dropped; what comes ahead waits."""
    asked, go_on = threading.Semaphore(0), threading.Event()
    made = told.metrics

    def slow(*given: Any, **more: Any) -> str:  # noqa: ANN401 - passed on
        asked.release()
        assert go_on.wait(PATIENCE_SECONDS)
        return made(*given, **more)

    monkeypatch.setattr(web_metrics, "metrics", slow)
    running = server(web={"enabled": True}, metrics={"networks": [HERE]})
    try:
        gone = WebPeer(running.port, browser_context(running.ca))
        stays = WebPeer(running.port, browser_context(running.ca))
        with stays:
            with gone:
                gone.send(head("GET /metrics HTTP/1.1", f"Host: {gone.host}"))
                assert asked.acquire(timeout=PATIENCE_SECONDS)
            stays.send(head("GET /metrics HTTP/1.1", f"Host: {stays.host}"))
            assert asked.acquire(timeout=PATIENCE_SECONDS)
            for piece in head("GET /healthz HTTP/1.1", f"Host: {stays.host}").splitlines(keepends=True):
                stays.send(piece)
                assert got(running, "/healthz")[0] == 200  # meanwhile
            go_on.set()
            assert b"secure_server_ready" in stays.answered().body
            assert stays.answered().body == b"ok\n"
    finally:
        go_on.set()
    eventually(lambda: running.server.sessions.strangers == 0)
    assert "unexpected error" not in running.log()


def test_who_sends_too_much_ahead_waits_for_nothing(server: ServerFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes while an answer is made is held, and so it is bounded."""
    go_on = threading.Event()
    monkeypatch.setattr(web_metrics, "metrics", lambda *_, **__: str(go_on.wait(PATIENCE_SECONDS)))
    running = server(web={"enabled": True}, metrics={"networks": [HERE]})
    try:
        with WebPeer(running.port, browser_context(running.ca)) as peer:
            peer.send(head("GET /metrics HTTP/1.1", f"Host: {peer.host}"))
            peer.send(b"x" * 40_000)
            with contextlib.suppress(OSError):
                assert peer.rest() == b""
    finally:
        go_on.set()
