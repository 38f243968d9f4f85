"""COMPLETE: what may stand where a person types, asked of names, choices and callbacks; soon, and never much."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import pytest

from secure_server.auth.principal import Role
from secure_server.commands.builtin import completion
from secure_server.commands.command import Command, Complete
from secure_server.commands.command import command as declare
from secure_server.commands.context import Context
from secure_server.commands.signature import SignatureError
from secure_server.session.session import Session
from tests.integration.running import eventually
from tests.secure_server.host import PATIENCE, Host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """The server without its sockets."""
    with Host(tmp_path) as running:
        yield running


@pytest.fixture
def ada(host: Host) -> Session:
    """A user, beside a command RESTART whose hosts are asked for."""

    def hosts(context: Context, typed: str) -> Iterable[str]:
        assert context.command.name == "RESTART"
        return [f"{typed}1", "beta", "Alpha", "alpha", "x\ny", "z" * 1000]

    host.registry.add(made_restart({"hosts": hosts}))
    return host.user()


def made_restart(complete: Mapping[str, Complete], name: str = "RESTART") -> Command:
    """A command with every kind of parameter."""

    @declare(name, complete=complete)
    def handler(
        _context: Context,
        service: Literal["web", "worker"],
        *hosts: str,
        force: bool = False,
        level: Literal["soft", "hard"] = "soft",
        after: int = 0,
    ) -> str:
        return f"{service}{hosts}{force}{level}{after}"

    made: Command = handler.__command__[0]  # type: ignore[attr-defined] # set by the decorator
    return made


def complete(host: Host, session: Session, *words: str) -> list[str]:
    """Ask, and return the candidates."""
    line = " ".join(f'"{word}"' for word in words)
    *found, end = host.ask(session, f"COMPLETE {line}").splitlines()
    assert end == "."
    return found


@pytest.mark.parametrize(
    ("words", "candidates"),
    [
        (["REST"], ["RESTART"]),
        (["rest"], ["RESTART"]),
        (["KI"], []),
        (["CLIENT", ""], []),
        (["RESTART", ""], ["web", "worker"]),
        (["restart", "WO"], ["worker"]),
        (["RESTART", "x"], []),
        (["RESTART", "web", ""], ["1", "beta", "Alpha", "alpha"]),
        (["RESTART", "web", "a"], ["a1", "Alpha", "alpha"]),
        (["RESTART", "web", "alpha", "b"], ["b1", "beta"]),
        (["RESTART", "--"], ["--force", "--level", "--after"]),
        (["RESTART", "--force", "--level=soft", "-"], ["--after"]),
        (["RESTART", "--force", "w"], ["web", "worker"]),
        (["RESTART", "--level", ""], ["soft", "hard"]),
        (["RESTART", "--level", "soft", "we"], ["web"]),
        (["RESTART", "--level=h"], ["--level=hard"]),
        (["RESTART", "--force="], ["--force=yes", "--force=no"]),
        (["RESTART", "--after", ""], []),
        (["RESTART", "--nosuch", "w"], ["web", "worker"]),
        (["RESTART", "--", "w"], ["web", "worker"]),
        (["RESTART", "--", "web", "--x"], ["--x1"]),
        (["LANG", ""], ["en", "pt_BR"]),
        (["LANG", "en", ""], []),
        (["TIME", ""], []),
        (["NOSUCH", ""], []),
        (["HELP", "WHO"], ["WHOAMI"]),
        (["KICK", ""], []),
        (["NOTIFY", "o"], ["on", "off"]),
    ],
)
def test_what_may_stand_there(host: Host, ada: Session, words: list[str], candidates: list[str]) -> None:
    """Names, choices, flags and their values, what a callback says; nothing of what the caller may not run."""
    assert complete(host, ada, *words) == candidates


def test_without_words_every_name_may_stand(host: Host) -> None:
    """Once each, those of subcommands by their first word, and none that is hidden or another role's."""
    user, admin = host.user(), host.local()
    assert {"ECHO", "TIME", "EXIT"} <= set(complete(host, user))
    assert not {"KICK", "CLIENT", "COMPLETE", "HELLO"} & set(complete(host, user))
    assert {"KICK", "CLIENT", "BROADCAST"} <= set(complete(host, admin, ""))
    assert complete(host, admin, "client", "") == ["KILL", "LIST", "SHOW"]
    assert complete(host, admin, "client", "k") == ["KILL"]


def test_admins_are_offered_who_is_there(host: Host) -> None:
    """Numbers and names of those who are connected."""
    ada, admin = host.program(name="ada"), host.local()
    assert complete(host, admin, "KICK", "")[:3] == [str(ada.number), str(admin.number), "id="]
    assert complete(host, admin, "KICK", "user=ada", "role=op") == ["role=operator"]
    assert complete(host, admin, "BROADCAST", "--to", "user=a") == ["user=ada"]
    assert complete(host, admin, "BROADCAST", "--name", "a") == ["ada"]
    assert complete(host, admin, "BROADCAST", f"--id={ada.number}") == [f"--id={ada.number}"]


def test_a_callback_that_is_late_has_nothing_to_say(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer comes in time all the same; the callback is told to stop, and what it still says is dropped."""
    monkeypatch.setattr(completion, "COMPLETION_SECONDS", 0.02)
    told, ended = threading.Event(), threading.Event()

    def endless(context: Context, _typed: str) -> Iterator[str]:
        try:
            for number in itertools.count():
                context.cancelled.wait(PATIENCE)
                told.set()
                yield str(number)
        finally:
            ended.set()

    host.registry.add(made_restart({"hosts": endless}))
    assert complete(host, host.user(), "RESTART", "web", "") == []
    assert told.wait(PATIENCE)
    assert ended.wait(PATIENCE)


def test_callbacks_that_hang_cost_a_bounded_number_of_threads(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """When every place is taken the answer is empty at once, and places come back."""
    monkeypatch.setattr(completion, "COMPLETION_SECONDS", 0.01)
    release, asked = threading.Event(), itertools.count()

    def hangs(_context: Context, _typed: str) -> list[str]:
        next(asked)
        release.wait(PATIENCE)
        return ["late"]

    host.registry.add(made_restart({"hosts": hangs}))
    host.registry.add(made_restart({"hosts": lambda _context, _typed: ["soon"]}, "OTHER"))
    ada = host.user()
    for _ in range(completion.CALLBACKS_AT_ONCE + 2):
        assert complete(host, ada, "RESTART", "web", "") == []
    assert next(asked) == completion.CALLBACKS_AT_ONCE
    assert complete(host, ada, "OTHER", "web", "") == []
    release.set()
    for thread in threading.enumerate():
        if thread.name == "complete-RESTART":
            thread.join(PATIENCE)
    monkeypatch.setattr(completion, "COMPLETION_SECONDS", PATIENCE)
    assert complete(host, ada, "OTHER", "web", "") == ["soon"]


def test_callbacks_that_take_every_place_are_told_of(
    host: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Counted one by one; in the log once they are all, and again when there was room in between."""
    monkeypatch.setattr(completion, "COMPLETION_SECONDS", 0.01)
    releases = [threading.Event() for _ in range(completion.CALLBACKS_AT_ONCE + 1)]
    waiting = iter(releases)

    def hangs(_context: Context, _typed: str) -> list[str]:
        next(waiting).wait(PATIENCE)
        return []

    host.registry.add(made_restart({"hosts": hangs}))
    host.registry.add(made_restart({"hosts": hangs}, "OTHER"))
    ada = host.user()

    def late() -> int:
        return int(host.ask(ada, "INFO workers").partition("late_completions:")[2].split()[0])

    def ask(name: str = "RESTART") -> list[str]:
        with caplog.at_level(logging.WARNING, "secure_server.commands"):
            assert complete(host, ada, name, "web", "") == []
        return [record.getMessage() for record in caplog.records]

    for number in range(1, completion.CALLBACKS_AT_ONCE):
        ask()
        assert late() == number
    assert ask("OTHER") == []
    (told,) = ask()
    assert told.endswith("8 run that are late and do not end, those of OTHER, RESTART")
    assert ask() == [told]
    releases[0].set()
    eventually(lambda: late() == completion.CALLBACKS_AT_ONCE - 1)
    assert ask() == [told]
    assert len(ask()) == 2
    for release in releases:
        release.set()
    eventually(lambda: late() == 0)


@pytest.mark.parametrize("error", [OSError, SystemExit, KeyboardInterrupt])
def test_a_callback_that_fails_has_nothing_to_say(
    host: Host, error: type[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the peer nor the next callback notices, nor whoever looks at the server's screen."""

    def fails(_context: Context, _typed: str) -> list[str]:
        raise error("secret path")

    host.registry.add(made_restart({"hosts": fails}))
    ada = host.user()
    for _ in range(completion.CALLBACKS_AT_ONCE + 1):
        assert complete(host, ada, "RESTART", "web", "") == []
    assert "secret path" not in capsys.readouterr().err


def test_a_callback_without_a_thread_gives_its_place_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a moment without threads would end completion until the next start."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    host.registry.add(made_restart({"hosts": lambda _context, _typed: ["found"]}))
    context = Context(host.user(), host.services, made_restart({}))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        for _ in range(completion.CALLBACKS_AT_ONCE + 1):
            assert completion.ask(lambda _context, _typed: ["found"], context, context.command, "") == {}
    assert complete(host, context.session, "RESTART", "web", "") == ["found"]


def test_no_more_than_a_menu_holds(host: Host) -> None:
    """A callback without end is cut off."""
    host.registry.add(made_restart({"hosts": lambda _context, _typed: map(str, itertools.count())}))
    assert len(complete(host, host.user(), "RESTART", "web", "")) == completion.CANDIDATES


def test_what_is_typed_is_not_logged(host: Host) -> None:
    """It may be a secret, so COMPLETE is marked as AUTH is."""
    found = host.registry.named("COMPLETE")
    assert found is not None
    assert found.secret


def test_a_callback_for_no_parameter_is_found_at_start() -> None:
    """A typing error in `complete=` would never be asked."""
    with pytest.raises(SignatureError, match="RESTART: complete names host, which"):
        made_restart({"host": lambda _context, _typed: []})


def test_what_there_is_to_say_of_a_candidate_is_told_where_it_is_wanted(host: Host) -> None:
    """Whose a number or an id is; one after the other. Nothing is said of what speaks for itself."""
    chief = host.user("chief", Role.ADMIN)
    ada = host.session(address="10.0.0.7:40000")
    host.ask(ada, f"AUTH {host.token('ada').reveal()}")
    stranger = host.session(address="10.0.0.8:40000")
    assert complete(host, chief, "--told", "CLIENT", "SHOW", "") == [
        *(str(chief.number), "chief 127.0.0.1:40000"),
        *(str(ada.number), "ada 10.0.0.7:40000"),
        *(str(stranger.number), "- 10.0.0.8:40000"),
    ]
    assert complete(host, chief, "CLIENT", "SHOW", "") == [str(each.number) for each in (chief, ada, stranger)]
    assert complete(host, chief, "--told", "LANG", "p") == ["pt_BR", ""]
    assert ada.principal is not None
    assert complete(host, chief, "--told", "TOKEN", "SHOW", str(ada.principal.token_id)) == [
        str(ada.principal.token_id),
        "ada (user)",
    ]
    assert complete(host, chief, "--told") == complete(host, chief, "--told", "") != []


def test_what_is_said_is_fit_for_a_menu(host: Host) -> None:
    """On one line, and short, whatever a callback says; a flag's value keeps it."""
    host.registry.add(made_restart({"hosts": lambda _context, _typed: [("a", "x" * 500), ("b", "\x1b[2J\n")]}))
    a, long, b, escaped = complete(host, host.user(), "--told", "RESTART", "web", "")
    assert (a, b) == ("a", "b")
    assert len(long) <= completion.TOLD_CHARACTERS + 1
    assert escaped.isprintable()
    chief = host.user("chief", Role.ADMIN)
    number = str(chief.number)
    found = complete(host, chief, "--told", "BROADCAST", f"--id={number}")
    assert found == [f"--id={number}", "chief 127.0.0.1:40000"]
