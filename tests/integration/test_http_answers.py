"""HTTP for programs: which status tells of what, what strangers learn, and what two may read in two ways."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from secure_protocol.token import Token
from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_record import TokenState
from secure_server.auth.tokens import Tokens
from secure_server.limits.rate import Rate
from secure_server.server import DATABASE
from tests.conftest import ServerFactory
from tests.integration import job_commands, odd_commands
from tests.integration.job_commands import Steer
from tests.integration.running import Running, eventually, logged
from tests.integration.test_http import calling, raw


@pytest.fixture
def served(server: ServerFactory) -> Iterator[Running]:
    """A server that serves HTTP, with these commands and some that are jobs."""
    Steer.forget()
    running = server(web={"enabled": True})
    running.server.registry.load([job_commands, odd_commands])
    yield running
    Steer.released.set()


def test_a_failure_is_told_from_a_wrong_call_and_from_a_fault(served: Running) -> None:
    """422 where it ran and did not work, 400 where it was called wrong, 500 where it is broken, once more each time."""
    with calling(served) as caller:
        for _ in range(2):
            status, answer = caller.ask("POST", "/v1/run/FAIL")
            assert (status, answer["error"]["message"]) == (422, "It did not work.")
            assert caller.ask("POST", "/v1/run/FAIL", ["a", "b"])[0] == 400
            status, answer = caller.ask("POST", "/v1/run/BREAK")
            assert status == 500
            assert "secret" not in str(answer)
            assert caller.ask("POST", "/v1/run/PING") == (200, {"reply": "PONG"})


def test_replies_are_json(served: Running) -> None:
    """Also numbers without end, and moments as people write them."""
    with calling(served) as caller:
        assert caller.ask("POST", "/v1/run/INFINITE") == (200, {"reply": [None, 1.5]})
        status, answer = caller.ask("POST", "/v1/run/TIME")
        assert status == 200
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", answer["reply"])


def test_the_address_says_which_command_it_is(served: Running) -> None:
    """A text makes no other of it, nor a flag."""
    with calling(served) as caller:
        assert caller.ask("POST", "/v1/run/CACHE/CLEAR") == (200, {"reply": "cleared"})
        assert caller.ask("POST", "/v1/run/CACHE", ["CLEAR"])[0] == 404
        assert caller.ask("POST", "/v1/run/COPY", ["--force"]) == (200, {"reply": "--force False"})
        assert caller.ask("POST", "/v1/run/COPY", {"text": "--", "force": True}) == (200, {"reply": "-- True"})
        assert caller.ask("POST", "/v1/run/JOB/START", ["COPY", "x", "--force"])[0] == 404


@pytest.mark.parametrize("path", ["run/NONSENSE", "run/ECHO", "run/AUTH", "jobs/x", "jobs/1", "commands"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_stranger_learns_nothing(served: Running, method: str, path: str) -> None:
    """Of any address, whether there is something, nor how it is asked: a wrong token is told so, and counts."""
    with calling(served, Token.generate().reveal()) as stranger:
        status, answer = stranger.ask(method, f"/v1/{path}")
        assert (status, answer["error"]["code"]) == (401, "WRONGPASS")
    with calling(served, "") as stranger:
        assert stranger.ask(method, f"/v1/{path}")[0] == 401


def test_wrong_tokens_earn_a_penalty(served: Running) -> None:
    """As anywhere, with the seconds in a header; a good token comes in all the same."""
    statuses = []
    for _ in range(30):
        with calling(served, Token.generate().reveal()) as stranger:
            response = stranger.send("POST", "/v1/run/PING")
            statuses.append(response.status)
            if response.status == 429:
                assert int(response.headers["retry-after"]) > 0
                break
    assert statuses[0] == 401
    assert statuses[-1] == 429
    with calling(served) as caller:
        assert caller.ask("POST", "/v1/run/PING")[0] == 200


@pytest.mark.parametrize(
    "shown", ["Bearer " + "x" * 8000, "Bearer é", "Bearer a b", "bearer scs_x", "Basic dTpw", "Bearer "]
)
def test_what_is_no_token_is_refused(served: Running, shown: str) -> None:
    """Whatever it is, by a status, and the connection ends where somebody was judged."""
    with calling(served, "") as stranger:
        response = stranger.send("POST", "/v1/run/PING", Authorization=shown.encode("latin-1").decode("latin-1"))
        assert response.status in (400, 401)
        assert json.loads(response.read())["error"]["code"]


AMBIGUOUS: dict[str, bytes] = {
    "two lengths": b"Content-Length: 2\r\nContent-Length: 4\r\n\r\n[]",
    "a length and chunks": b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks of another kind": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks twice": b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "a length that is none": b"Content-Length: +2\r\n\r\n[]",
    "a name with a space": b"Content-Length : 2\r\n\r\n[]",
    "two hosts": b"Host: localhost\r\n\r\n",
    "a chunk that is none": b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    "a bare end of line": b"X: a\rb\r\n\r\n",
}


@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
@pytest.mark.parametrize("rest", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_two_may_read_in_two_ways_is_the_end(served: Running, rest: bytes, *, first: bool) -> None:
    """400 or 501, and what stands behind it is no request: as the first of a connection, and once it has a session."""
    good = b'POST /v1/run/ECHO HTTP/1.1\r\nContent-Length: 8\r\n\r\n["good"]'
    smuggled = b'POST /v1/run/ECHO HTTP/1.1\r\nContent-Length: 9\r\n\r\n["stolen"]'
    requests = [b"POST /v1/run/ECHO HTTP/1.1\r\n" + rest, smuggled]
    answer = raw(served, *requests) if first else raw(served, good, *requests)
    statuses = re.findall(rb"^HTTP/1.1 (\d+)", answer, re.MULTILINE)
    assert statuses[-1] in (b"400", b"501")
    assert len(statuses) == (1 if first else 2)
    assert b"stolen" not in answer
    assert first or b'"good"' in answer


def test_a_body_in_tiny_chunks_is_taken(served: Running) -> None:
    """In as many turns as it takes, others between them."""
    body = b'["' + b"x" * 3000 + b'"]'
    chunks = b"".join(b"1;a=b\r\n%c\r\n" % byte for byte in body) + b"0\r\nTrailer: x\r\n\r\n"
    answer = raw(
        served,
        b"POST /v1/run/ECHO HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
        b"POST /v1/run/PING HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    )
    assert b"x" * 3000 in answer
    assert b"PONG" in answer


def test_a_session_that_is_ended_while_a_body_comes_says_why(served: Running) -> None:
    """To the request whose head came."""
    with calling(served) as caller:
        caller.connection.putrequest("POST", "/v1/run/ECHO")
        caller.connection.putheader("Authorization", f"Bearer {served.token()}")
        caller.connection.putheader("Content-Length", "100")
        caller.connection.endheaders(b"[")
        eventually(lambda: [session.logins for session in served.server.sessions] == [1])
        served.revoke("user")
        response = caller.connection.getresponse()
        assert (response.status, response.headers["connection"]) == (401, "close")


def test_the_output_of_a_job_is_read_from_a_part_on(served: Running) -> None:
    """At once as JSON, or as it comes, as lines or events; whoever lost an event goes on behind the last one."""
    with calling(served) as caller:
        href = caller.ask("POST", "/v1/run/STEPS", {"most": 2})[1]["href"]
        Steer.begun()
        Steer.go.release()
        Steer.begun()
        Steer.go.release()
        status, answer = caller.ask("GET", f"{href}/output?wait=30s")
        eventually(lambda: caller.ask("GET", href)[1]["state"] == "done")
        status, answer = caller.ask("GET", f"{href}/output?from=1")
        assert (status, answer["parts"]) == (200, ["step 1"])
        assert caller.ask("GET", f"{href}/output")[1]["parts"] == ["step 0", "step 1"]
        lines = caller.send("GET", f"{href}/output", Accept="text/plain").read().decode()
        assert lines.splitlines() == ["step 0", "step 1", "the result"]
        events = caller.send("GET", href, Accept="text/event-stream", Last_Event_ID="0").read().decode()
        assert "step 0" not in events
        assert 'id: 1\nevent: part\ndata: "step 1"' in events
        assert caller.ask("DELETE", href)[0] == 409
        assert caller.ask("GET", f"{href}/output?wait=x")[0] == 400


def test_a_lost_connection_detaches_a_job(served: Running) -> None:
    """It goes on, and another connection follows it to its end."""
    with calling(served) as caller:
        caller.connection.request(
            "POST", "/v1/run/STEPS", b'{"most": 1}',
            {"Authorization": f"Bearer {served.token()}", "Accept": "text/event-stream"},
        )  # fmt: skip
        Steer.begun()
    eventually(lambda: not len(served.server.sessions))
    with calling(served) as caller:
        (job,) = caller.ask("GET", "/v1/jobs")[1]
        assert job["state"] == "running"
        Steer.go.release()
        events = caller.send("GET", f"/v1/jobs/{job['job']}", Accept="text/event-stream").read().decode()
        assert 'event: end\ndata: {"reply":"the result"}' in events


def test_a_job_that_is_known_by_its_key(served: Running) -> None:
    """Is not started again, and with other arguments the key is refused."""
    with calling(served) as caller:
        first = caller.ask("POST", "/v1/run/ALONE", {"most": 1}, Idempotency_Key="--key")
        assert first[0] == 202
        Steer.begun()
        assert caller.ask("POST", "/v1/run/ALONE", {"most": 1}, Idempotency_Key="--key")[1]["job"] == first[1]["job"]
        assert caller.ask("POST", "/v1/run/ALONE", {"most": 2}, Idempotency_Key="--key")[0] == 422
        assert caller.ask("POST", "/v1/run/ALONE", {"most": 1})[0] == 409
        assert Steer.ran == 1
        assert caller.ask("POST", "/v1/run/PLAIN", ["x"], Prefer="respond-async")[0] == 202


def test_what_is_offered_is_what_there_is(served: Running) -> None:
    """Nothing about the connection is in the catalogue of HTTP, and each address in it is one."""
    with calling(served, served.token(Role.ADMIN)) as caller:
        names = {item["name"] for item in caller.ask("GET", "/v1/commands")[1]}
        paths = caller.ask("GET", "/v1/openapi.json")[1]["paths"]
        assert {"KICK", "ECHO", "CACHE CLEAR"} <= names
        assert not {"EXIT", "AUTH", "HELLO", "LANG", "NOTIFY", "CANCEL", "JOB START"} & names
        assert {f"/v1/run/{name.replace(' ', '/')}" for name in names} == {
            path for path in paths if path.startswith("/v1/run/")
        }


def test_a_big_reply_comes_whole(served: Running) -> None:
    """However many values it has."""
    with calling(served) as caller:
        status, answer = caller.ask("POST", "/v1/run/MANY")
        assert (status, len(answer["reply"])) == (200, 300_000)


def test_the_trail_knows_by_what_somebody_came(served: Running) -> None:
    """A wrong token is refused on record, and one login is one."""
    with calling(served) as caller:
        for _ in range(3):
            assert caller.ask("POST", "/v1/run/PING")[0] == 200
    logged(served, "connected .*transport=http|connected .* http")
    assert served.log().count("outcome=accepted") == 1


def test_a_rate_is_told_with_the_seconds(served: Running) -> None:
    """As 429, and what comes behind it is answered when there is room again."""
    with SQLiteTokenStorage(served.data / DATABASE) as storage:
        token = Tokens(storage).create("slow", rate=Rate(0.001, 2))
    eventually(lambda: served.server._authenticator.state(token.id) is TokenState.ACTIVE)
    with calling(served, token.reveal()) as caller:
        statuses = []
        for _ in range(5):
            response = caller.send("POST", "/v1/run/PING")
            response.read()
            statuses.append(response.status)
        assert statuses[-1] == 429
        assert int(response.headers["retry-after"]) > 0


def test_the_banned_are_told_so(served: Running) -> None:
    """By 403, at their login and in the midst of a connection."""
    with calling(served) as caller, served.resp(served.token(Role.ADMIN)) as admin:
        assert caller.ask("POST", "/v1/run/PING")[0] == 200
        admin.ask("BAN", "ADD", "user=user", "--reason", "Go away.")
        with calling(served) as other:
            status, answer = other.ask("POST", "/v1/run/PING")
            assert (status, answer["error"]["code"]) == (403, "BANNED")


def test_a_draining_server_says_when_to_return(served: Running) -> None:
    """By 503."""
    with served.resp(served.token(Role.ADMIN)) as admin:
        admin.ask("SERVER", "DRAIN", "--retry-after", "7s")
        with calling(served) as caller:
            response = caller.send("POST", "/v1/run/PING")
            assert response.status == 503
            assert int(response.headers["retry-after"]) > 0


def test_other_requests_of_a_connection_are_answered_as_anywhere(served: Running) -> None:
    """The page among a session's requests, what has no body in its answer, and who would change the protocol."""
    with calling(served) as caller:
        assert caller.ask("POST", "/v1/run/PING")[0] == 200
        page = caller.send("GET", "/")
        assert (page.status, b"<html" in page.read()) == (200, True)
        response = caller.send("GET", "/", If_None_Match=page.headers["etag"])
        assert (response.status, response.read(), response.headers["content-length"]) == (304, b"", None)
        response = caller.send("HEAD", "/v1/commands")
        assert (response.status, response.read()) == (405, b"")
        assert caller.ask("OPTIONS", "/v1/run/PING")[0] == 405
        assert caller.ask("POST", "/v1/run/PING", Upgrade="h2c", Connection="Upgrade")[0] == 200
        assert caller.ask("POST", "/v1/run/PING", Connection="keep-alive")[0] == 200
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13"}
        key = {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec_WebSocket_Protocol": "secure-command.1"}
        assert caller.send("GET", "/v1/session", **upgrade, **key).status == 400


def test_an_older_http_has_its_answer_and_the_end(served: Running) -> None:
    """Behind a request of today's; as the first one it is refused, for it can say no end of a stream."""
    good = b"POST /v1/run/PING HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
    old = b"POST /v1/run/PING HTTP/1.0\r\nContent-Length: 0\r\n\r\n"
    assert re.findall(rb"^HTTP/1.1 (\d+)", raw(served, old), re.MULTILINE) == [b"505"]
    answer = raw(served, good, old, good)
    assert re.findall(rb"^HTTP/1.1 (\d+)", answer, re.MULTILINE) == [b"200", b"200"]
