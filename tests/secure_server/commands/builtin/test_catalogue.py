"""What is said of commands comes from bytes that were kept: those that the codecs write of the plain values."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Literal

import pytest

from secure_protocol.replies import ReplyKind, Table
from secure_server.auth.principal import Role
from secure_server.commands.authorizer import may_run
from secure_server.commands.builtin import catalogue, introspection
from secure_server.commands.builtin.catalogue import Catalogue
from secure_server.commands.command import Command, command
from secure_server.commands.context import Context
from secure_server.commands.registry import Registry
from secure_server.commands.signature import Signature
from secure_server.i18n import LANGUAGES, Translate
from secure_server.session.codecs import RESP2, RESP3, TEXT, Codec
from secure_server.session.session import Session
from tests.secure_server.host import Host

ASKED = (
    ["HELP"],
    ["COMMANDS"],
    ["COMMAND"],
    ["COMMAND", "COUNT"],
    ["COMMAND", "LIST"],
    ["COMMAND", "INFO"],
    ["COMMAND", "INFO", "echo", "nosuch", "CLIENT", "kick", "Echo", "deploy", "long"],
    ["COMMAND", "DOCS"],
    ["COMMAND", "DOCS", "client", "nosuch", "ECHO", "kick", "echo", "deploy"],
    ["COMMAND", "DOCS", "nosuch"],
)
"""All that is told from the catalogue."""


def plain(words: Sequence[str], session: Session, registry: Registry) -> object:
    """What the answer says, as values that no one has encoded: built from the registry alone, anew each time."""
    allowed = sorted((item for item in registry if may_run(session.principal, item)), key=lambda item: item.name)
    listed = [item.describe(session.translate) for item in allowed if not item.hidden]
    if words == ["HELP"]:
        width = max(len(item.syntax) for item in listed)
        return [f"{item.syntax.ljust(width)}  {item.summary}" for item in listed]
    if words == ["COMMANDS"]:
        if session.codec.for_people:
            rows: list[tuple[object, ...]] = [(item.syntax, item.role, item.summary) for item in listed]
            return Table(("command", "role", "summary"), rows)
        return [item.to_wire() for item in listed]
    families: dict[str, list[Command]] = {}
    for item in allowed:
        families.setdefault(item.name.lower().split(" ")[0], []).append(item)
    wanted = [name.lower() for name in words[2:]] or list(families)
    match words[1:2]:
        case ["COUNT"]:
            return len(families)
        case ["LIST"]:
            paths = {name: [item.name.lower().replace(" ", "|") for item in items] for name, items in families.items()}
            return [path for name, inside in paths.items() for path in dict.fromkeys([name, *inside])]
        case ["DOCS"]:
            docs, translate = introspection.docs, session.translate
            return {name: docs(translate, tuple(families[name])) for name in wanted if name in families}
    return [introspection.info(tuple(families[name])) if name in families else None for name in wanted]


def add(host: Host) -> None:
    """Commands as operators make them: choices, a container, any script, what no terminal must see, and a long one."""

    def handler(_context: Context, where: Literal["é", "b c", "\x1b[2J"] = "é", *rest: str, force: bool = False) -> str:
        return f"{where}{rest}{force}"

    for name, summary, role in (
        ("DEPLOY WEB", "Liefert ünd änderte.  ", Role.OPERATOR),
        ("DEPLOY DB", "..dots\nand lines\x1b[2J", Role.USER),
        ("DEPLOY-ALL", ".", Role.ADMIN),
        ("LONG", "long " * 2000, Role.OPERATOR),
    ):
        made = vars(command(name, summary=summary, role=role)(handler))["__command__"][-1]
        host.registry.add(made)


def session_of(host: Host, codec: Codec, role: Role = Role.USER, allow: list[str] | None = None) -> Session:
    """A session of a token of its own."""
    name = f"{role.label}{codec.name}{''.join(allow or [])}".lower()
    if codec is TEXT:
        return host.user(name, role, allow)
    session, token = host.session(), host.token(name, role, allow)
    host.call(session, "HELLO", str(codec.version), "AUTH", name, token.reveal())
    return session


def said(host: Host, session: Session, words: Sequence[str]) -> bytes:
    """The bytes of the answer."""
    return host.ask(session, " ".join(words)).encode() if session.codec is TEXT else host.call(session, *words)


def expected(host: Host, session: Session, words: Sequence[str]) -> bytes:
    """What the codec writes of the plain answer."""
    return session.codec.reply(plain(words, session, host.registry), ReplyKind.LINES)


@pytest.mark.parametrize("allow", [None, ["ECHO"], ["CLIENT", "DEPLOY", "KICK"]], ids=str)
@pytest.mark.parametrize("role", [Role.USER, Role.OPERATOR, Role.ADMIN])
@pytest.mark.parametrize("codec", [TEXT, RESP2, RESP3], ids=lambda codec: codec.name)
def test_the_bytes_are_those_of_the_plain_values(host: Host, codec: Codec, role: Role, allow: list[str] | None) -> None:
    """In each codec and language, for each role and list; the first time, and the second, and among other callers."""
    add(host)
    session, other = session_of(host, codec, role, allow), session_of(host, codec, Role.ADMIN, ["BROADCAST", "TOKEN"])
    for language in (*LANGUAGES, *LANGUAGES):
        session.speak(language)
        other.speak(language)
        for words in ASKED:
            for asking in (session, other):
                answer = said(host, asking, words)
                assert answer, words
                assert answer == expected(host, asking, words), (words, language, asking.principal)


def test_a_session_may_change_its_language_and_its_codec(host: Host) -> None:
    """`LANG` and `HELLO` hold from the next answer on, and back again."""
    session = session_of(host, RESP3)
    seen = set()
    for version, language in (("3", "en"), ("3", "pt_BR"), ("2", "pt_BR"), ("2", "en"), ("3", "en"), ("2", "pt_BR")):
        host.call(session, "HELLO", version)
        host.call(session, "LANG", language)
        assert (session.codec.version, session.language) == (int(version), language)
        for words in ASKED:
            assert said(host, session, words) == expected(host, session, words), (words, version, language)
        seen.add(said(host, session, ["COMMANDS"]))
    assert len(seen) == 4


def test_another_principal_is_told_what_it_may_run(host: Host) -> None:
    """Also on a connection that was told before, as somebody else."""
    session, admin = session_of(host, RESP3), host.token("root", Role.ADMIN)
    before = said(host, session, ["COMMANDS"])
    assert b"KICK" not in before
    host.call(session, "RESET")
    host.call(session, "HELLO", "3", "AUTH", "root", admin.reveal())
    assert b"KICK" in said(host, session, ["COMMANDS"])
    assert said(host, session, ["COMMANDS"]) == expected(host, session, ["COMMANDS"])


@pytest.mark.parametrize("codec", [TEXT, RESP2, RESP3], ids=lambda codec: codec.name)
def test_a_second_answer_works_nothing_out(host: Host, codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for the same session nor for one that sees no more; no value is described or encoded again."""
    add(host)
    sessions = [session_of(host, codec, Role.USER, allow) for allow in (None, ["DEPLOY", "ECHO", "TIME"])]
    sessions.append(host.user("bob") if codec is TEXT else host.program(codec.version, "bob"))
    first = [[said(host, session, words) for words in ASKED] for session in sessions[:2]]
    made: list[str] = []

    def counted(owner: object, name: str) -> None:
        original: Callable[..., object] = getattr(owner, name)

        def counting(*args: object) -> object:
            made.append(name)
            return original(*args)

        monkeypatch.setattr(owner, name, counting)

    counted(Command, "describe")
    counted(introspection, "info")
    counted(introspection, "docs")
    counted(type(codec), "item")
    counted(type(codec), "pair")
    counted(catalogue, "groupby")
    second = [[said(host, session, words) for words in ASKED] for session in sessions]
    assert second == [*first, first[0]]
    assert made == ["item"] * len(sessions)  # the null of the one name that there is not
    host.command("NEW", lambda _context: "")
    for words in ASKED:
        said(host, sessions[0], words)
    assert set(made) == {"describe", "info", "docs", "item", "pair", "groupby"}, "the counters count"


@pytest.mark.parametrize("codec", [TEXT, RESP2, RESP3], ids=lambda codec: codec.name)
def test_an_internal_command_is_told_to_nobody(host: Host, codec: Codec) -> None:
    """Neither to administrators; whoever asks for it by its name learns what they would learn of any other word."""

    def handler(_context: Context) -> None: ...

    asked = (*ASKED, ["HELP", "tell-team"], ["COMMAND", "DOCS", "tell-team"], ["COMPLETE", "TELL-"], ["TELL-TEAN"])
    session = session_of(host, codec, Role.ADMIN)
    before = [said(host, session, words) for words in (*asked, ["TELL-TEAM"])]
    host.registry.add(Command("TELL-TEAM", handler, Signature(handler), internal=True))
    assert [said(host, session, words) for words in (*asked, ["TELL-TEAM"])] == before
    assert b"Unknown command." in before[-1]


@pytest.mark.parametrize("codec", [TEXT, RESP3], ids=lambda codec: codec.name)
def test_a_command_that_is_added_is_told_of(host: Host, codec: Codec) -> None:
    """What was kept goes by the commands that there were."""
    session = session_of(host, codec)
    for words in ASKED:
        said(host, session, words)
    add(host)
    for words in ASKED:
        assert said(host, session, words) == expected(host, session, words), words


def test_other_commands_make_another_edition(host: Host) -> None:
    """Nothing of what was kept outlives them, though their names are the same."""

    def handler(_context: Context) -> None:
        """Do nothing."""

    old, new = ((Command("ECHO", handler, Signature(handler), summary),) for summary in ("Old.", "New."))
    commands, session = old, host.local()
    told = Catalogue(lambda: commands)
    assert told.kept(_summary, session)[told.listed[0]] == "Old."
    commands = new
    assert told.kept(_summary, session)[told.families["echo"][0]] == "New."
    assert [*told.kept(_summary, session)] == [*new]


def _summary(_codec: Codec, _translate: Translate, item: Command) -> str:
    return item.summary


def test_what_is_kept_is_bounded(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many widths callers have, and with the right bytes all along."""
    monkeypatch.setattr(catalogue, "MOST_TABLES", 5)
    names = ["W" * width for width in range(30, 40)]
    for name in names:
        host.command(name, lambda _context: "")
    tables = host.services.catalogue._now().tables
    answers = set()
    for name in names:
        session = session_of(host, RESP3, Role.USER, [name])
        answer = said(host, session, ["HELP"])
        assert answer == expected(host, session, ["HELP"])
        assert 0 < len(tables) <= 5
        answers.add(answer)
    assert len(answers) == len(names)


def test_threads_that_ask_at_once_are_told_the_same(host: Host) -> None:
    """I/O threads share it, also while it is empty."""
    commands, session = host.registry.ordered, session_of(host, RESP3)
    together, answers = threading.Barrier(8), list[list[bytes]]()

    def ask(told: Catalogue) -> None:
        together.wait()
        kept = told.kept(introspection._docs_pair, session)
        answers.append([kept[members] for members in told.families.values()])

    for _ in range(20):
        told = Catalogue(lambda: commands)
        threads = [threading.Thread(target=ask, args=[told]) for _ in range(together.parties)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(answers) == 20 * together.parties
    assert all(answer == answers[0] for answer in answers)
