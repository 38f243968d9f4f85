"""Completion that only the server knows: asked in the background, bounded, kept for a moment."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import DummyInput
from prompt_toolkit.output import DummyOutput

from secure_client import Client
from secure_client.catalogue import Catalogue
from secure_client.terminal.prompt import suggestions
from secure_client.terminal.prompt.completion import CommandCompleter
from secure_client.terminal.prompt.suggestions import Suggestions
from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.replies import ErrorReply
from tests.secure_client.scripted_server import COMMANDS, PATIENCE, Peer, ScriptedServer

CATALOGUE = Catalogue(
    [
        *COMMANDS,
        CommandDescription(
            "DEPLOY",
            arguments=(
                ArgumentDescription("host", summary="Which one"),
                ArgumentDescription("sure", "bool", optional=True),
                ArgumentDescription("tag", flag=True, optional=True),
            ),
        ),
        CommandDescription(
            "UNLOCK",
            arguments=(
                ArgumentDescription("door"),
                ArgumentDescription("key", secret=True),
                ArgumentDescription("again", optional=True),
            ),
        ),
        CommandDescription("STORE", arguments=(ArgumentDescription("body", file=True),)),
        CommandDescription("JOB START", arguments=(ArgumentDescription("words", variadic=True),)),
    ]
)
HOSTS = ["alpha", "beta two", "b\x1b[2J", "b\u202e", ""]
B = ['"beta two"', r'"b\x1b[2J"']
"""Those with b, as they may be typed; what turns the direction of text is left out."""


@pytest.fixture
def offer(client: Client, server: ScriptedServer) -> Iterator[Suggestions]:
    """What asks `server`, which knows some hosts."""
    server.handlers["COMPLETE"] = lambda _peer, words: [host for host in HOSTS if host.startswith(words[-1])]
    with create_app_session(input=DummyInput(), output=DummyOutput()):
        yield Suggestions(client)


def asked(server: ScriptedServer) -> list[list[str]]:
    """What the server was asked to complete."""
    return [request[1:] for request in server.received if request[0] == "COMPLETE"]


def offered(offer: Suggestions, text: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the menu shows after `text`, once the server has answered."""
    completer = CommandCompleter(lambda: CATALOGUE, {}, offer)
    document = Document(text)

    async def collect() -> list[str]:
        found = completer.get_completions_async(document, CompleteEvent())
        return [item.text.rstrip() async for item in found]

    class App:
        class current_buffer:  # noqa: N801 - stands for prompt-toolkit's attribute
            document: Document

    App.current_buffer.document = document
    monkeypatch.setattr("secure_client.terminal.prompt.completion.get_app", lambda: App)
    return asyncio.run(collect())


@pytest.mark.parametrize(
    ("text", "menu", "question"),
    [
        ("deploy ", ["alpha", *B], ["deploy", ""]),
        ("deploy a", ["alpha"], ["deploy", "a"]),
        ("DEPLOY --tag ", ["alpha", *B], ["DEPLOY", "--tag", ""]),
        ('deploy --tag "a b" b', B, ["deploy", "--tag", "a b", "b"]),
        ("deploy alpha ", ["--tag"], None),
        ("restart ", ["web", "worker"], None),
        ('deploy "', [], None),
        ('deploy "b', [], None),
        ("deploy scs_abc", [], None),
        ("unlock a", ["alpha"], ["unlock", "a"]),
        ("unlock alpha ", [], None),
        ("unlock alpha s3cr", [], None),
        ("unlock alpha s3cret ", [], None),
        ("job start deploy a", ["alpha"], ["deploy", "a"]),
        ("job start --key k deploy a", ["alpha"], ["deploy", "a"]),
        ("job start unlock alpha s3cr", [], None),
        ("store a", ["alpha"], ["store", "a"]),
        ("store @/no/such/file", [], None),
        ("unknown ", [], None),
        ("dep", ["DEPLOY"], None),
        ("time ", [], None),
    ],
)
def test_only_what_the_server_alone_knows_is_asked(
    offer: Suggestions,
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    menu: list[str],
    question: list[str] | None,
) -> None:
    """Not what has choices, is quoted in part, or may be a secret; candidates are quoted."""
    assert offered(offer, text, monkeypatch) == menu
    assert asked(server) == ([question] if question is not None else [])


def get(offer: Suggestions, *words: str, wanted: bool = True) -> list[str]:
    """Ask as the menu does."""
    return [word for word, _saying in asyncio.run(offer.get(words, lambda: wanted))]


def test_answers_are_forgotten_once_the_commands_are_others(
    client: Client, server: ScriptedServer, offer: Suggestions
) -> None:
    """A command of the same name may take something else now."""
    assert get(offer, "deploy", "a") == ["alpha"]
    HOSTS.append("arrow")
    try:
        assert get(offer, "deploy", "a") == ["alpha"]
        client.commands()
        assert get(offer, "deploy", "a") == ["alpha", "arrow"]
    finally:
        HOSTS.remove("arrow")
    assert len(asked(server)) == 2


def test_answers_are_kept_for_a_moment(client: Client, server: ScriptedServer, offer: Suggestions) -> None:
    """The same word is not asked for twice, nor a longer one where a shorter could become nothing."""
    now = [100.0]
    offer._clock = lambda: now[0]
    assert get(offer, "deploy", "a") == get(offer, "deploy", "a") == ["alpha"]
    assert get(offer, "deploy", "x") == get(offer, "deploy", "xy") == []
    assert asked(server) == [["deploy", "a"], ["deploy", "x"]]
    now[0] += suggestions.LIFETIME
    assert get(offer, "deploy", "a") == ["alpha"]
    assert len(asked(server)) == 3


def test_only_so_many_answers_are_kept(offer: Suggestions, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go."""
    monkeypatch.setattr(suggestions, "MOST_KEPT", 2)
    for word in ("a", "b", "al"):
        get(offer, "deploy", word)
    assert list(offer._known) == [("deploy", "b"), ("deploy", "al")]


def test_a_server_without_completion_is_asked_once(server: ScriptedServer, offer: Suggestions, client: Client) -> None:
    """Until the next session, whose server may know it."""
    server.handlers["COMPLETE"] = lambda _peer, _words: ErrorReply("ERR", "Unknown command.")
    assert get(offer, "deploy", "a") == get(offer, "deploy", "b") == []
    assert len(asked(server)) == 1


def test_what_is_no_list_completes_nothing(server: ScriptedServer, offer: Suggestions) -> None:
    """A reply of another shape, and elements that are no text."""
    server.handlers["COMPLETE"] = lambda _peer, words: "alpha" if words[-1] else [1, "alpha", None]
    assert get(offer, "deploy", "a") == []
    assert get(offer, "deploy", "") == ["alpha"]


def test_what_the_server_says_of_a_word_is_told_beside_it(
    server: ScriptedServer, request: pytest.FixtureRequest
) -> None:
    """Where it says in HELLO that it can, it is asked for that; what is no pair is passed over."""
    server.hello["completion"] = "told"
    server.handlers["COMPLETE"] = lambda _peer, words: (
        ["7", "ana 10.0.0.7", "8", "", "9"] if words[0] == "--told" else 0
    )
    offer = Suggestions(request.getfixturevalue("client"))
    found = asyncio.run(offer.get(("deploy", ""), lambda: True))
    assert found == [("7", "ana 10.0.0.7"), ("8", "")]
    assert asked(server) == [["--told", "deploy", ""]]


def test_a_slow_server_is_not_waited_for(
    server: ScriptedServer, offer: Suggestions, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only so long, not at all once the user has typed on, and never with two questions at a time."""
    release = threading.Event()

    def slow(_peer: Peer, _words: list[str]) -> object:
        assert release.wait(PATIENCE)
        return ["alpha"]

    server.handlers["COMPLETE"] = slow
    monkeypatch.setattr(suggestions, "PATIENCE", 0.1)
    assert get(offer, "deploy", "a") == []
    assert get(offer, "deploy", "al") == []
    assert get(offer, "deploy", "alp", wanted=False) == []
    release.set()
    assert client.execute("ECHO", "x") == "x"
    assert asked(server) == [["deploy", "a"]]


def test_nothing_is_asked_while_disconnected(server: ScriptedServer, offer: Suggestions, client: Client) -> None:
    """Typing goes on; no question waits for the connection."""
    server.stop()
    client._link.wait_for(lambda status: status.session is None, PATIENCE)
    assert get(offer, "deploy", "a") == []
    client.close()
    assert get(offer, "deploy", "a") == []
