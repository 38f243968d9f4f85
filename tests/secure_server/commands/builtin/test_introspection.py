"""COMMAND as Redis answers it, for the one who asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from secure_protocol.resp_replies import ReplyDecoder
from secure_server.commands.context import Context
from secure_server.session.session import Session
from tests.secure_server.host import Host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """The server without its sockets."""
    with Host(tmp_path) as running:
        yield running


@pytest.fixture
def ada(host: Host) -> Session:
    """A RESP3 user."""
    return host.program()


def asked(host: Host, session: Session, *words: str) -> Any:  # noqa: ANN401 - a reply may be anything
    """Ask, and decode the one reply."""
    decoder = ReplyDecoder()
    decoder.feed(host.call(session, *words))
    (reply,) = decoder.decode()
    return reply


def test_count_list_and_command_agree(host: Host, ada: Session) -> None:
    """As many elements as `COUNT` says; `LIST` adds the subcommands behind their container."""
    count, listed, described = (asked(host, ada, "COMMAND", *more) for more in (["COUNT"], ["LIST"], []))
    assert count == len(described) == len([name for name in listed if "|" not in name])
    assert listed.index("client|id") > listed.index("client")
    assert "kick" not in listed
    assert "client|kill" not in listed
    assert "kick" in str(asked(host, host.program(name="root", role=host.local().role), "COMMAND", "LIST"))


def test_info_tells_arity_and_flags(host: Host, ada: Session) -> None:
    """Ten fields each, null for what there is not; as in Redis, a negative arity is the least."""
    echo, whoami, client, nothing, kick = asked(
        host, ada, "COMMAND", "INFO", "echo", "WHOAMI", "client", "nosuch", "kick"
    )
    assert echo == ["echo", -1, ["noscript", "fast"], 0, 0, 0, ["@fast"], [], [], []]
    assert whoami[:2] == ["whoami", 1]
    assert client[:2] == ["client", -2]
    assert ["client|id", 2] in [inside[:2] for inside in client[9]]
    assert ["client|setname", 3] in [inside[:2] for inside in client[9]]
    assert (nothing, kick) == (None, None)


def test_flags_tell_whose_a_command_is(host: Host) -> None:
    """Admins' commands are marked, and those that need no authentication."""
    kick, auth = asked(host, host.local(), "COMMAND", "INFO", "kick", "auth")
    assert (kick[2], kick[6]) == (["noscript", "admin"], ["@slow", "@admin", "@dangerous"])
    assert auth[2] == ["noscript", "fast", "no_auth"]


def test_docs_tell_summary_and_arguments(host: Host, ada: Session) -> None:
    """In the session's language; what may be left out or repeated is flagged, choices and options have tokens."""

    def deploy(
        _context: Context, to: Literal["web", "db"], count: int = 1, *, force: bool = False, tag: str = ""
    ) -> str:
        return f"{to}{count}{force}{tag}"

    host.command("DEPLOY", deploy)
    docs = asked(host, ada, "COMMAND", "DOCS", "deploy", "ECHO", "nosuch", "client")
    assert list(docs) == ["deploy", "echo", "client"]
    assert docs["echo"]["summary"] == "Send a text back."
    assert docs["echo"]["arguments"] == [
        {"name": "text", "type": "string", "display_text": "text", "flags": ["optional", "multiple"]}
    ]
    assert docs["client"]["subcommands"]["client|getname"]["summary"] == "The name this client gave itself."
    to, count, force, tag = docs["deploy"]["arguments"]
    assert (to["type"], [choice["token"] for choice in to["arguments"]]) == ("oneof", ["web", "db"])
    assert (count["type"], count["flags"]) == ("integer", ["optional"])
    assert (force["type"], force["token"]) == ("pure-token", "--force")
    assert (tag["type"], tag["token"]) == ("string", "--tag")
    assert set(asked(host, ada, "COMMAND", "DOCS")) >= set(docs)


def test_resp2_has_flat_maps(host: Host) -> None:
    """As Redis gives them to older clients."""
    name, doc = asked(host, host.program(2), "COMMAND", "DOCS", "time")
    assert (name, doc[0], doc[1]) == ("time", "summary", "The server's date and time.")


@pytest.mark.parametrize(("words", "answer"), [(["COUNT", "x"], "takes no arguments"), (["GETKEYS"], "is not one of")])
def test_what_is_not_there_is_said(host: Host, ada: Session, words: list[str], answer: str) -> None:
    """Subcommands that make no sense without keys, and arguments that would be passed over."""
    assert answer in str(asked(host, ada, "COMMAND", *words))
