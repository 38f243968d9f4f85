"""CLIENT SHOW: all about one client, and no secret."""

from __future__ import annotations

import threading
from typing import Any

from secure_protocol.resp_replies import ReplyDecoder
from secure_protocol.resp_requests import encode_request
from secure_server.auth.principal import ClientCertificate
from secure_server.commands.context import Context
from secure_server.session.peer import Peer
from secure_server.session.session import Session
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import Host


def shown(host: Host, session: Session) -> dict[str, Any]:
    """Ask for it as a program."""
    admin = host.local()
    host.call(admin, "HELLO", "3")
    decoder = ReplyDecoder()
    decoder.feed(host.call(admin, "CLIENT", "SHOW", str(session.number)))
    (reply,) = decoder.decode()
    assert isinstance(reply, dict), reply
    return reply


def test_who_it_is_and_what_it_did(host: Host) -> None:
    """Its life and its last commands, those between counted."""
    session = host.program(name="ada")
    host.call(session, "CLIENT", "SETNAME", "deploy")
    host.call(session, "PING")
    session.receive(encode_request([b"PING"]) * 9, host.clock())
    host.call(session, "NOPE")
    session.receive(encode_request([b"PING"]) * 5, host.clock())
    told = shown(host, session)
    assert (told["id"], told["user"], told["role"], told["name"]) == (session.number, "ada", "user", "deploy")
    assert (told["protocol"], told["state"], told["transport"]) == ("resp3", "authenticated", "tls")
    assert [(moment["what"], moment.get("detail")) for moment in told["timeline"]] == [
        ("connected", "tls"), ("authenticated", "bearer"),
    ]  # fmt: skip
    assert [(one.get("command"), one.get("outcome"), one.get("count")) for one in told["last"]] == [
        ("CLIENT SETNAME", "ok", None), ("PING", "ok", None), (None, None, 9), ("?", "ERR", None), ("PING", "ok", 5),
    ]  # fmt: skip
    assert told["waiting"] == {"unread": 0, "unsent": len(session.output)}
    assert "certificate" not in told
    assert "penalty" not in told


def test_what_it_may_and_by_which_token(make_host: MakeHost) -> None:
    """With what is left of its rate, and how many sessions share that; nothing of the secret."""
    host = make_host(limits={"commands_per_second": 2, "commands_burst": 10})
    token = host.token("ada", allow=["ECHO"])
    session, other = host.session(), host.session()
    for each in (session, other):
        host.ask(each, f"AUTH {token.reveal()}")
    host.ask(session, "ECHO 1")
    told = shown(host, session)
    assert told["limits"] == {"role": "user", "allow": ["ECHO"], "sessions": 2, "rate": "2/s:10", "left": 9}
    assert (told["token"]["id"], told["token"]["name"], told["token"]["state"]) == (token.id, "ada", "active")
    assert token.secret not in repr(told)
    host.revoke("ada")
    assert shown(host, session)["token"]["state"] == "revoked"


def test_a_running_command_and_since_when(host: Host) -> None:
    """And what waits behind it."""
    over = threading.Event()

    def wait(_context: Context) -> None:
        over.wait()

    host.command("WAIT", wait)
    session = host.program()
    session.receive(encode_request([b"WAIT"]), host.clock())
    host.clock.now += 3
    try:
        told = shown(host, session)
    finally:
        over.set()
    assert (told["waiting"]["running"], told["waiting"]["seconds"]) == ("WAIT", 3.0)
    assert told["last"] == []


def test_a_certificate_and_what_its_address_has_earned(host: Host) -> None:
    """Each where there is one."""
    certificate = ClientCertificate("laptop", "ab" * 32, 0.0, 4e9)
    session = host.user()
    peer = Peer("192.0.2.7:1", netblock="192.0.2.7", certificate=certificate)
    session.peer = peer
    host.penalties.failed("192.0.2.7", b"x", "192.0.2.7:9", "malformed")
    told = shown(host, session)
    assert (told["certificate"]["name"], told["certificate"]["fingerprint"]) == ("laptop", "ab" * 32)
    assert told["certificate"]["expires"].startswith("2096-10-0")
    penalty = told["penalty"]
    assert (penalty["failures"], penalty["from"], penalty["because"]) == (1, "192.0.2.7:9", "malformed")


def test_the_jobs_of_its_user(host: Host) -> None:
    """Those that run, and those that were started here."""
    jobs = host.keep_jobs()
    host.command("QUICK", lambda _context: "done", job=True)
    session = host.user("ada")
    host.ask(session, "QUICK")
    host.ask(host.user("bob"), "QUICK")
    assert shown(host, session)["jobs"] == [{"job": 1, "command": "QUICK", "state": "done"}]
    assert len(jobs.all) == 2
    assert "jobs" not in shown(host, host.local())


def test_a_stranger_has_little_to_show(host: Host) -> None:
    """Neither limits nor a token."""
    told = shown(host, host.session())
    assert told["state"] == "unauthenticated"
    assert not {"user", "limits", "token", "jobs"} & told.keys()


def test_one_that_there_is_not_is_a_sentence(host: Host) -> None:
    """And a number is a number."""
    assert host.ask(host.local(), "CLIENT SHOW 99") == "ERROR: No client has the id 99; CLIENTS lists them.\n"
    assert host.ask(host.local(), "CLIENT SHOW x").startswith("ERROR: Argument id: x is not a valid int")


def test_a_person_reads_a_line_for_each_moment(host: Host) -> None:
    """Below their key."""
    session = host.user()
    host.ask(session, "WHOAMI")
    lines = host.ask(host.local(), f"CLIENT SHOW {session.number}").splitlines()
    place = lines.index("last:")
    assert lines[place + 1].startswith("  time=")
    assert " command=WHOAMI outcome=ok" in lines[place + 1]
