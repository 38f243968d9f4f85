"""HTTP for programs: curl, or whatever speaks HTTP/1.1, over real TLS."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from secure_protocol.token import Token
from secure_server.auth.principal import Role, TokenUse
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_record import TokenState
from secure_server.auth.tokens import Tokens
from secure_server.server import DATABASE
from secure_server.web.api import http_wire
from tests.conftest import ServerFactory
from tests.integration import job_commands, slow_commands
from tests.integration.bystander import bystander
from tests.integration.job_commands import Steer
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.running import Running, eventually, logged
from tests.integration.slow_commands import Seen


@pytest.fixture
def served(server: ServerFactory) -> Iterator[Running]:
    """A server that serves HTTP, with commands that take their time."""
    Seen.forget()
    Steer.forget()
    running = server(web={"enabled": True})
    running.server.registry.load([slow_commands, job_commands])
    yield running
    Steer.released.set()
    Seen.released.set()


class Caller:
    """A connection, and a token that it shows.

    Args:
        running: where.
        token: shown; empty for none.
    """

    def __init__(self, running: Running, token: str) -> None:
        context = ssl.create_default_context(cafile=str(running.ca))
        context.set_alpn_protocols(["http/1.1"])
        self.connection = http.client.HTTPSConnection("localhost", running.port, context=context, timeout=30)
        self._token = token

    def send(self, method: str, path: str, body: object = None, **headers: str) -> http.client.HTTPResponse:
        """Make a request."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self._token:
            sent.setdefault("Authorization", f"Bearer {self._token}")
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        self.connection.request(method, path, data, sent)
        return self.connection.getresponse()

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Return status and JSON of the answer."""
        response = self.send(method, path, body, **headers)
        return response.status, json.loads(response.read() or b"null")


@contextlib.contextmanager
def calling(running: Running, token: str | None = None) -> Iterator[Caller]:
    """Connect as the user, or with a token."""
    caller = Caller(running, running.token() if token is None else token)
    with contextlib.closing(caller.connection):
        yield caller


def test_a_command_runs_and_answers_json(served: Running) -> None:
    """By names, by position, without arguments; one session and one login for all requests of a connection."""
    with calling(served) as caller:
        assert caller.ask("POST", "/v1/run/ECHO", {"text": ["hello", "--world"]}) == (200, {"reply": "hello --world"})
        assert caller.ask("POST", "/v1/run/echo", ["by", "place"]) == (200, {"reply": "by place"})
        assert caller.ask("POST", "/v1/run/PING") == (200, {"reply": "PONG"})
        assert "user" in str(caller.ask("POST", "/v1/run/WHOAMI")[1]["reply"])
        assert [session.peer.transport for session in served.server.sessions] == ["http"]
        assert [session.logins for session in served.server.sessions] == [1]
    eventually(lambda: not len(served.server.sessions))
    logged(served, "authentication .* principal=user .* outcome=accepted")


WRONG: dict[str, tuple[str, str, object, int]] = {
    "an unknown command": ("POST", "/v1/run/NONSENSE", None, 404),
    "about the connection": ("POST", "/v1/run/AUTH", ["x"], 404),
    "about the connection, of two words": ("POST", "/v1/run/CLIENT/ID", None, 404),
    "not allowed": ("POST", "/v1/run/CLIENTS", None, 403),
    "no JSON": ("POST", "/v1/run/ECHO", b"{", 400),
    "JSON of another kind": ("POST", "/v1/run/ECHO", "text", 400),
    "an argument that is not there": ("POST", "/v1/run/ECHO", {"nothing": "x"}, 400),
    "an object in an argument": ("POST", "/v1/run/ECHO", {"text": {}}, 400),
    "too many arguments": ("POST", "/v1/run/PING", ["a", "b", "c"], 400),
    "another method": ("GET", "/v1/run/ECHO", None, 405),
    "no job": ("GET", "/v1/jobs/99999", None, 404),
    "the end of no job": ("DELETE", "/v1/jobs/99999", None, 404),
    "the output of no job": ("GET", "/v1/jobs/99999/output", None, 404),
    "output from nowhere": ("GET", "/v1/jobs/99999/output?from=x", None, 400),
    "nothing below a job": ("GET", "/v1/jobs/1/input", None, 404),
    "a list in a list": ("POST", "/v1/run/ECHO", [["a", ["b"]]], 400),
    "an argument given twice": ("POST", "/v1/run/ECHO", b'{"text": "a", "text": "b"}', 400),
    "no number of JSON's": ("POST", "/v1/run/ECHO", b"[NaN]", 400),
    "too long an argument": ("POST", "/v1/run/ECHO", ["x" * 600_000], 413),
    "too many of them": ("POST", "/v1/run/ECHO", ["x"] * 2000, 413),
    "no address": ("GET", "/v1/jobs/x", None, 404),
}


@pytest.mark.parametrize(("method", "path", "body", "status"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_by_status_and_sentence(
    served: Running, method: str, path: str, body: object, status: int
) -> None:
    """And the connection goes on."""
    with calling(served) as caller:
        assert caller.ask("POST", "/v1/run/PING")[0] == 200
        found, answer = caller.ask(method, path, body)
        assert found == status, answer
        assert answer["error"]["code"]
        assert len(answer["error"]["message"].split()) > 2
        assert caller.ask("POST", "/v1/run/PING")[0] == 200


def test_nobody_asks_without_a_token(served: Running) -> None:
    """Nor with a wrong one, which earns what it earns anywhere; another on the same connection is its end."""
    with calling(served, "") as stranger:
        response = stranger.send("POST", "/v1/run/PING")
        assert (response.status, response.headers["www-authenticate"]) == (401, "Bearer")
        response.read()
        assert not len(served.server.sessions)
    with calling(served, Token.generate().reveal()) as wrong:
        response = wrong.send("POST", "/v1/run/PING")
        assert (response.status, json.loads(response.read())["error"]["code"]) == (401, "WRONGPASS")
        assert response.headers["connection"] == "close"
    with calling(served) as caller:
        assert caller.ask("POST", "/v1/run/PING")[0] == 200
        other = caller.send("POST", "/v1/run/PING", Authorization=f"Bearer {served.token(Role.ADMIN)}")
        assert (other.status, other.headers["connection"]) == (401, "close")
    logged(served, "authentication .* outcome=refused unknown")


def test_another_page_is_refused(served: Running) -> None:
    """Whatever it shows."""
    with calling(served) as caller:
        response = caller.send("POST", "/v1/run/PING", Origin="https://evil.example")
        assert response.status == 403
        assert not any(name.lower().startswith("access-control") for name in response.headers)


def test_a_stream_comes_as_it_is_asked_for(served: Running) -> None:
    """Whole as JSON, line by line as text, and as events."""
    with calling(served) as caller:
        status, answer = caller.ask("POST", "/v1/run/COUNT", ["2", "value"])
        assert (status, answer) == (200, {"parts": [".line 1", ".line 2"], "reply": "the end"})
        response = caller.send("POST", "/v1/run/COUNT", ["2", "value"], Accept="text/plain")
        assert response.read().decode().splitlines() == [".line 1", ".line 2", "the end"]
        response = caller.send("POST", "/v1/run/COUNT", ["2", "value"], Accept="text/event-stream")
        assert response.headers["content-type"] == "text/event-stream"
        events = [
            dict(line.split(": ", 1) for line in event.splitlines())
            for event in response.read().decode().split("\n\n")
            if event
        ]
        assert [event["data"] for event in events if event["event"] == "part"] == ['".line 1"', '".line 2"']
        assert any(event["event"] == "progress" for event in events)
        assert (events[-1]["event"], json.loads(events[-1]["data"])) == ("end", {"reply": "the end"})


def test_a_quiet_stream_says_now_and_then_that_it_lives(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """As events, where a comment may stand; JSON and lines come without anything in them that is not the answer."""
    monkeypatch.setattr(http_wire, "BEAT_SECONDS", 0.05)
    with calling(served) as caller, calling(served) as waiting, calling(served) as other:
        response = caller.send("POST", "/v1/run/HOLD", Accept="text/event-stream")  # there is a head before any event
        assert (response.status, response.headers["content-type"]) == (200, "text/event-stream")
        assert [response.readline() for _ in range(4)] == [b":\n", b"\n"] * 2
        waiting.connection.request("POST", "/v1/run/HOLD", None, {"Authorization": f"Bearer {served.token()}"})
        eventually(lambda: sum(session.busy for session in served.server.sessions) == 2)
        assert other.ask("POST", "/v1/run/WAIT")[0] == 504  # meanwhile there is many a beat
        Seen.released.set()
        rest = response.read()
        assert rest.replace(b":\n\n", b"") == b'event: end\ndata: {"reply":"released"}\n\n'
        assert json.loads(waiting.connection.getresponse().read()) == {"reply": "released"}
        assert caller.ask("POST", "/v1/run/PING")[0] == 200
    eventually(lambda: not len(served.server.sessions))


def test_a_full_server_says_when_to_return(server: ServerFactory) -> None:
    """As over TLS, and the connection ends."""
    running = server(web={"enabled": True}, limits={"max_clients": 1})
    with calling(running) as first:
        assert first.ask("POST", "/v1/run/PING")[0] == 200
        with calling(running) as second:
            response = second.send("POST", "/v1/run/PING")
            assert (response.status, response.headers["connection"]) == (429, "close")
            assert response.headers["retry-after"] == "5"
            assert "Too many clients" in json.loads(response.read())["error"]["message"]
        assert first.ask("POST", "/v1/run/PING")[0] == 200


def test_a_lost_connection_ends_what_ran(served: Running) -> None:
    """For nobody waits for it."""
    with calling(served) as caller:
        caller.connection.request(
            "POST",
            "/v1/run/FOREVER",
            None,
            {"Authorization": f"Bearer {served.token()}", "Accept": "text/event-stream"},
        )
        eventually(lambda: any(session.busy for session in served.server.sessions))
    eventually(lambda: not len(served.server.sessions))


def test_a_session_that_is_ended_says_why(served: Running) -> None:
    """By the status, where nothing was sent."""
    with calling(served) as caller:
        caller.connection.request("POST", "/v1/run/FOREVER", None, {"Authorization": f"Bearer {served.token()}"})
        eventually(lambda: any(session.busy for session in served.server.sessions))
        served.revoke("user")
        response = caller.connection.getresponse()
        assert response.status == 401
        assert json.loads(response.read())["error"]["code"] == "CLOSED"


def test_the_catalogue_and_its_description(served: Running) -> None:
    """What the token may run, and no more."""
    with calling(served) as caller:
        status, commands = caller.ask("GET", "/v1/commands")
        assert status == 200
        names = {command["name"] for command in commands}
        assert "ECHO" in names
        assert "KICK" not in names
        status, described = caller.ask("GET", "/v1/openapi.json")
        assert (status, described["openapi"]) == (200, "3.1.0")
        assert "/v1/run/ECHO" in described["paths"]
        assert "/v1/run/KICK" not in described["paths"]


def test_a_body_behind_100_continue(served: Running) -> None:
    """As curl sends what is long."""
    with calling(served) as caller:
        body = json.dumps(["x" * 5000]).encode()
        response = caller.send("POST", "/v1/run/ECHO", body, Expect="100-continue")
        assert json.loads(response.read()) == {"reply": "x" * 5000}


@pytest.mark.parametrize("use", [TokenUse.ONCE, TokenUse.ENROLMENT])
def test_tokens_for_one_use_are_refused_and_not_spent(served: Running, use: TokenUse) -> None:
    """Each connection is a login of its own."""
    with SQLiteTokenStorage(served.data / DATABASE) as storage:
        token = Tokens(storage).create("guest", use=use)
    eventually(lambda: served.server._authenticator.state(token.id) is TokenState.ACTIVE)
    with calling(served, token.reveal()) as caller:
        status, answer = caller.ask("POST", "/v1/run/PING")
        assert (status, answer["error"]["code"]) == (403, "NOPERM")
    with served.resp(None) as peer:
        assert peer.ask("AUTH", token.reveal()) == "OK"


def test_a_token_with_few_sessions_is_told_to_come_again(served: Running) -> None:
    """With the seconds in a header."""
    with SQLiteTokenStorage(served.data / DATABASE) as storage:
        token = Tokens(storage).create("few", max_sessions=1)
    eventually(lambda: served.server._authenticator.state(token.id) is TokenState.ACTIVE)
    with calling(served, token.reveal()) as first, calling(served, token.reveal()) as second:
        assert first.ask("POST", "/v1/run/PING")[0] == 200
        response = second.send("POST", "/v1/run/PING")
        assert response.status == 429
        assert int(response.headers["retry-after"]) > 0


def test_a_job_is_started_looked_at_and_cancelled(served: Running) -> None:
    """It is answered with its address, and goes on without the connection; the same key leads to the same job."""
    with calling(served) as caller:
        response = caller.send("POST", "/v1/run/STEPS", {"most": 2}, Idempotency_Key="night")
        started = json.loads(response.read())
        assert (response.status, response.headers["location"]) == (202, started["href"])
        Steer.begun()
        assert caller.ask("POST", "/v1/run/PING")[0] == 200
        status, again = caller.ask("POST", "/v1/run/STEPS", {"most": 2}, Idempotency_Key="night")
        assert (status, again["job"]) == (202, started["job"])
    with calling(served) as caller:
        assert caller.ask("GET", started["href"])[1]["state"] == "running"
        assert [job["job"] for job in caller.ask("GET", "/v1/jobs")[1]] == [started["job"]]
        assert caller.ask("GET", f"{started['href']}/output?from=0")[1]["job"] == started["job"]
        assert caller.ask("DELETE", started["href"])[0] == 200
        eventually(lambda: caller.ask("GET", started["href"])[1]["state"] == "cancelled")
        status, answer = caller.ask("POST", "/v1/run/ECHO", ["x"], Prefer="respond-async")
        assert (status, answer) == (200, {"reply": "x"})  # it ends at once: a preference, which cannot be met
        status, answer = caller.ask("POST", "/v1/run/ECHO", ["x"], Prefer="respond-async", Idempotency_Key="k")
        assert (status, answer["error"]["code"]) == (422, "ERR")  # a key is none


def test_a_job_is_followed_by_events(served: Running) -> None:
    """From its beginning, to its end."""
    with calling(served) as caller:
        response = caller.send("POST", "/v1/run/STEPS", {"most": 1}, Accept="text/event-stream")
        Steer.begun()
        Steer.go.release()
        events = response.read().decode().split("\n\n")
        assert events[0].startswith("event: job\ndata: ")
        assert any(event.startswith("event: end\n") for event in events)
        number = json.loads(events[0].partition("data: ")[2])["job"]
        response = caller.send("GET", f"/v1/jobs/{number}", Accept="text/event-stream")
        assert "event: end\n" in response.read().decode()


def raw(running: Running, *heads: bytes) -> bytes:
    """Send bytes with the user's token in each head, and return all that comes until the server ends."""
    context = ssl.create_default_context(cafile=str(running.ca))
    context.set_alpn_protocols(["http/1.1"])
    with context.wrap_socket(running.tcp(), server_hostname="localhost") as sock:
        token = f"Host: localhost\r\nAuthorization: Bearer {running.token()}\r\n".encode()
        sock.sendall(b"".join(head.replace(b"\r\n", b"\r\n" + token, 1) for head in heads))
        answer = b""
        while data := sock.recv(65536):
            answer += data
    return answer


def test_requests_in_one_go_are_answered_in_order(served: Running) -> None:
    """The session's, and the page's between them."""
    body = b'["%d"]'
    call = b"POST /v1/run/ECHO HTTP/1.1\r\nContent-Length: 5\r\n\r\n" + body
    last = b"POST /v1/run/ECHO HTTP/1.1\r\nContent-Length: 5\r\nConnection: close\r\n\r\n" + body
    page = b"GET /icon.none HTTP/1.1\r\n\r\n"
    answer = raw(served, call % 1, page, call % 2, last % 3)
    assert re.findall(rb"^HTTP/1.1 (\d+)", answer, re.MULTILINE) == [b"200", b"404", b"200", b"200"]
    assert answer.index(b'"reply":"1"') < answer.index(b'"reply":"2"') < answer.index(b'"reply":"3"')


def test_a_body_that_is_too_long_is_the_end(served: Running) -> None:
    """Told by status, at once where its length is told."""
    with calling(served) as caller:
        assert caller.ask("POST", "/v1/run/PING")[0] == 200
        caller.connection.putrequest("POST", "/v1/run/ECHO")
        caller.connection.putheader("Authorization", f"Bearer {served.token()}")
        caller.connection.putheader("Content-Length", "2000000")
        caller.connection.endheaders()
        response = caller.connection.getresponse()
        assert (response.status, response.headers["connection"]) == (413, "close")
    with calling(served) as caller:
        chunks = (b"x" * 10_000 for _ in range(110))
        caller.connection.request("POST", "/v1/run/ECHO", chunks, {"Authorization": f"Bearer {served.token()}"})
        assert caller.connection.getresponse().status == 413


def test_what_is_sent_ahead_is_bounded(served: Running) -> None:
    """Who sends and sends while a command runs is ended."""
    context = ssl.create_default_context(cafile=str(served.ca))
    context.set_alpn_protocols(["http/1.1"])
    with context.wrap_socket(served.tcp(), server_hostname="localhost") as sock:
        sock.settimeout(PATIENCE_SECONDS)
        head = f"POST /v1/run/FOREVER HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {served.token()}\r\n\r\n"
        sock.sendall(head.encode())
        eventually(lambda: any(session.busy for session in served.server.sessions))
        with contextlib.suppress(OSError):
            for _ in range(1000):
                sock.sendall(b"x" * 16_384)
    eventually(lambda: not len(served.server.sessions))
    logged(served, "disconnected .*reason=protocol-error")


def test_a_client_that_reads_nothing_is_a_slow_consumer(server: ServerFactory) -> None:
    """As over TLS; meanwhile the server holds a bounded part of what it would be sent."""
    Seen.forget()
    running = server(web={"enabled": True}, timeouts={"write": "500ms"})
    running.server.registry.load([slow_commands])
    context = ssl.create_default_context(cafile=str(running.ca))
    context.set_alpn_protocols(["http/1.1"])
    with context.wrap_socket(running.tcp(), server_hostname="localhost") as sock:
        head = f"Host: localhost\r\nAuthorization: Bearer {running.token()}\r\n"
        body = json.dumps(["x" * 500_000])
        call = f"POST /v1/run/ECHO HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        with contextlib.suppress(OSError):
            for _ in range(40):
                sock.sendall(call)
        logged(running, "disconnected .*reason=(slow-consumer|protocol-error)")
    Seen.released.set()


@pytest.mark.parametrize("before", [0, 1], ids=["first", "further"])
def test_a_body_that_does_not_come_whole_is_ended(server: ServerFactory, before: int) -> None:
    """Also one of which a byte comes now and then; whoever was answered meanwhile has all the time there is."""
    running = server(web={"enabled": True}, timeouts={"request": "300ms"})
    with calling(running) as caller, calling(running) as idle:
        assert idle.ask("POST", "/v1/run/ECHO", b"{")[0] == 400  # begun, and refused: nothing is awaited of it
        for _ in range(before):
            assert caller.ask("POST", "/v1/run/PING")[0] == 200
        caller.connection.putrequest("POST", "/v1/run/ECHO")
        caller.connection.putheader("Authorization", f"Bearer {running.token()}")
        caller.connection.putheader("Content-Length", "1000")
        caller.connection.endheaders()
        caller.connection.send(b'["')
        response = caller.connection.getresponse()
        assert (response.status, response.headers["connection"]) == (408, "close")
        assert idle.ask("POST", "/v1/run/PING")[0] == 200
    logged(running, "disconnected .*reason=request-timeout")


def test_a_body_that_comes_in_pieces_is_whole(served: Running) -> None:
    """One request behind the other on a connection, some of them refused."""
    with calling(served) as caller:
        for number in range(3):
            body = json.dumps([f"in pieces {number}"]).encode()
            for sent, expected in ((body, 200), (b"{" * len(body), 400)):
                caller.connection.putrequest("POST", "/v1/run/ECHO")
                caller.connection.putheader("Authorization", f"Bearer {served.token()}")
                caller.connection.putheader("Content-Length", str(len(sent)))
                caller.connection.endheaders()
                for byte in sent:
                    caller.connection.send(bytes([byte]))
                response = caller.connection.getresponse()
                assert response.status == expected
                assert expected != 200 or json.loads(response.read()) == {"reply": f"in pieces {number}"}
                response.read()


CROWDED = {
    "numbers": b"[" + b"0," * 500_000 + b"0]",
    "texts": b"[" + b'"",' * 300_000 + b'""]',
    "lists": b"[" + b"[]," * 300_000 + b"[]]",
    "names": b"{" + b",".join(b'"%x":0' % number for number in range(80_000)) + b"}",
    "the last two names the same": b"{" + b",".join(b'"%x":0' % number for number in range(80_000)) + b',"x":0,"x":0}',
    "escapes": b'["' + b'\\"' * 500_000 + b'"]',
    "deep": b"[" * 1_000_000,
}


@pytest.mark.parametrize("body", CROWDED.values(), ids=CROWDED)
def test_a_body_of_many_values_keeps_nobody_waiting(served: Running, body: bytes) -> None:
    """It is refused, or is one text: before its values are made."""
    with calling(served) as caller, bystander(served):
        status = caller.send("POST", "/v1/run/ECHO", body).status
        assert status == (200 if body.count(b"\\") else 413)
