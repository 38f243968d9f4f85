"""The documentation says what is so: every word of the wire is in it, and its examples are run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import click
import pytest
from scramp import ScramClient, ScramMechanism

from secure_client.core.scram import MOST_ITERATIONS
from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.errors import ErrorCode
from secure_protocol.limits import ARGUMENT_WEIGHT, AUTHENTICATED, BEFORE_AUTHENTICATION
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import ReplyKind
from secure_protocol.scram import BINDING, ITERATIONS, MECHANISM, MESSAGE_CHARACTERS
from secure_protocol.token import Token
from secure_server.admission.admission import ATTEMPTS
from secure_server.auth.principal import Role
from secure_server.auth.token_record import TokenRecord, digest_of
from secure_server.cli.run import run
from secure_server.commands.builtin import BUILT_IN
from secure_server.commands.builtin.access.bans import REASON_CHARACTERS
from secure_server.commands.builtin.client import describe
from secure_server.commands.builtin.clients.showing import JOBS, TOKEN_SHOWN
from secure_server.commands.command import Command, command
from secure_server.commands.registry import Registry
from secure_server.commands.signature import _CONVERSIONS
from secure_server.config.quantities import Size
from secure_server.config.settings import Config
from secure_server.i18n import LANGUAGES
from secure_server.net.tls import ALPN_OURS
from secure_server.pki.preflight import check_pair
from secure_server.reach import ADMIN_SOCKET
from secure_server.recording.events import ARGUMENTS, KINDS
from secure_server.recording.log_end import MOST_BYTES
from secure_server.session.endings import CLOSE_SENTENCES, RETRY_AFTER
from secure_server.session.filter import _TAKES, FIELDS
from secure_server.session.history import COMMANDS, FIRST, MOMENTS
from secure_server.session.peer import Peer
from secure_server.session.session import Session
from secure_server.session.standing import LABEL_CHARACTERS
from secure_server.watching.choosing import EVENT_FIELDS, LINE_FIELDS
from secure_server.watching.telling import ARGUMENT_CHARACTERS, DROPPED
from secure_server.watching.watcher import QUEUE, QUIET_SECONDS
from secure_server.watching.watching import GATHER_SECONDS, INBOX, MOST_WATCHERS, RESERVED, TOLD
from tests.secure_server.host import Host, taken

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PROTOCOL = (DOCS / "protocol.md").read_text(encoding="utf-8")
TOKEN = Token("EXAMPLE000", "0" * 43)
EXAMPLES = re.findall(r"^```wire (.*?)\n(.*?)^```", PROTOCOL, re.DOTALL | re.MULTILINE)
WORDS = set(re.findall(r"`([^`\n]+)`", PROTOCOL))
"""What the page sets in type."""


def rows(heading: str) -> dict[str, list[str]]:
    """The table with that first heading: the other cells, by the word in the first one."""
    table = re.search(rf"^\| ?{re.escape(heading)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PROTOCOL, re.MULTILINE)
    assert table is not None, heading
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line[1:-1])] for line in table[1].splitlines()]
    return {first.strip("`"): rest for first, *rest in cells}


def commands() -> Iterator[Command]:
    """Every built-in command."""
    registry = Registry()
    registry.load(BUILT_IN)
    return iter(registry)


@pytest.fixture
def host(tmp_path: Path, certificates: Path) -> Iterator[Host]:
    """The server without its sockets, with the token and the command that the page supposes."""
    with Host(tmp_path) as running:
        record = TokenRecord(TOKEN.id, "alice", Role.USER, digest_of(TOKEN.secret), created=0.0)
        assert running._storage.add(record, beside_active=False)
        running.authenticator.reload()
        running.served = check_pair(certificates / "server.pem", certificates / "server-key.pem", now=datetime.now(UTC))
        notes = command("NOTES", reply=ReplyKind.LINES, inline=True)(lambda _context: ["first", ".hidden", "last"])
        running.registry.add(notes.__command__[0])  # type: ignore[attr-defined] # set by the decorator
        running.keep_jobs()
        running.authorities = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
        yield running


def test_the_design_names_every_room() -> None:
    """Whoever reads the tree and that page knows the room for a change."""
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    rooms = {path.name for path in (ROOT / "secure_server").iterdir() if (path / "__init__.py").exists()}
    assert rooms
    table = page[page.index("| room |") : page.index("`secure_client`: ")]
    assert {room for room in rooms if f"`{room}`" not in table} == set()
    client = {path.name for path in (ROOT / "secure_client").iterdir() if (path / "__init__.py").exists()}
    assert {room for room in client if f"`{room}/`" not in page} == set()


def begin(host: Host, codec: str, who: str) -> Session:
    """A session as an example supposes it."""
    session = host.local() if who == "admin" else host.session()
    if who == "admin":
        session.peer = Peer("unix", transport="unix", admin=True)
    if who == "alice" and codec == "text":
        assert host.ask(session, f"AUTH {TOKEN.reveal()}") == "OK\n"
    elif who == "alice":
        assert host.call(session, "HELLO", codec[-1], "AUTH", "default", TOKEN.reveal())
    return session


def sent(codec: str, line: str) -> bytes:
    """The bytes of one `C:` line."""
    if codec == "text":
        return line.encode() + b"\n"
    return line.replace(r"\r", "\r").replace(r"\n", "\n").encode()


def expected(codec: str, lines: list[str]) -> re.Pattern[bytes]:
    """What the `S:` lines allow."""
    data = b"".join(sent(codec, line) for line in lines)
    return re.compile(b".*?".join(re.escape(part) for part in data.split("…".encode())), re.DOTALL)


def play(host: Host, codec: str, who: str, script: str) -> None:
    """Let one example happen, and compare."""
    session, output = begin(host, codec, who), b""
    for side, group in groupby(script.splitlines(), key=lambda line: line.partition(" ")[0]):
        said = [line.partition(" ")[2] for line in group]
        if side == "C:":
            output = host.send(session, b"".join(sent(codec, line) for line in said))
            while session.busy:
                host.turn()
                output += taken(session)
        elif side == "!":
            session.close(CloseReason(said[0]))
            output = taken(session)
        else:
            assert side == "S:", script
            ends = said[-1] == "(end)"
            wanted = expected(codec, said[: len(said) - ends])
            assert wanted.fullmatch(output), f"the page says {wanted.pattern!r}\nthe server says {output!r}"
            assert session.closing is ends, script
            output = b""
    assert not output, f"the page does not show {output!r}"


@pytest.mark.parametrize(("about", "script"), EXAMPLES, ids=[str(number) for number in range(1, len(EXAMPLES) + 1)])
def test_each_example_is_what_happens(host: Host, about: str, script: str) -> None:
    """The page's conversations, byte by byte, with the real session, gate, commands and tokens."""
    codec, _, who = about.partition(" ")
    assert codec in ("text", "resp2", "resp3")
    assert who in ("", "alice", "admin")
    play(host, codec, who, script)


def test_the_handshake_to_test_by_is_right() -> None:
    """Whoever writes a client from the page gets these messages, byte by byte."""
    binding = (BINDING, hashlib.sha256().digest())
    mechanism = ScramMechanism(MECHANISM)
    keys = mechanism.make_auth_info(TOKEN.secret, ITERATIONS, b"0123456789abcdef")
    server = mechanism.make_server(lambda _id: keys, binding, "3rfcNHYJY1ZVvWVs7j")
    client = ScramClient([MECHANISM], TOKEN.id, TOKEN.secret, binding, "fyko+d2lbbFgONRv9qkxdawL")
    messages = [client.get_client_first()]
    server.set_client_first(messages[0])
    client.set_server_first(server.get_server_first())
    messages += [client.server_first, client.get_client_final()]
    server.set_client_final(messages[2])
    assert "```\n" + "\n".join([*messages, server.get_server_final()]) + "\n```" in PROTOCOL


def test_there_are_examples_of_each_kind() -> None:
    """None was lost to a typing error in its fence."""
    assert {about.partition(" ")[0] for about, _ in EXAMPLES} == {"text", "resp2", "resp3"}
    assert len(EXAMPLES) == PROTOCOL.count("```wire")


@pytest.mark.parametrize(
    ("codec", "script"),
    [
        ("text", "C: PING\nS: PONG\nS: more\n"),
        ("text", "C: PING\nS: PANG\n"),
        ("text", "C: PING\nS: PONG\nS: (end)\n"),
        ("text", "C: EXIT\nS: Goodbye.\n"),
        ("text", "C: PING\n"),
        ("resp3", "C: *1\\r\\n$4\\r\\nPING\\r\\n\nS: +PONG\\n\n"),
    ],
)
def test_an_example_that_is_wrong_is_found(host: Host, codec: str, script: str) -> None:
    """Too much, too little, something else, an end that is none or is not shown."""
    with pytest.raises(AssertionError):
        play(host, codec, "alice", script)


def test_every_error_code_is_explained() -> None:
    """A row for each, and no row for one that there is not."""
    assert list(rows("code")) == [str(code) for code in ErrorCode]
    used = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "secure_server").rglob("*.py"))
    for code, (when, *_) in rows("code").items():
        sent_by_us = code == "ERR" or f"ErrorCode.{code}" in used
        assert sent_by_us is not when.endswith("reserved, not sent by this version"), code


def test_every_close_reason_is_explained() -> None:
    """When, whether the peer is told, when to come back, and whether a client does so by itself."""
    table = rows("reason")
    assert list(table) == [str(reason) for reason in CloseReason]
    sentences = {*CLOSE_SENTENCES, CloseReason.BANNED}  # each ban has its own
    for reason in CloseReason:
        when, told, retry_after, reconnect = table[reason]
        assert when
        assert told == ("yes" if reason in sentences else "")
        assert retry_after == str(RETRY_AFTER.get(reason, ""))
        assert reconnect == reason.reconnect.name


def test_every_command_is_mentioned() -> None:
    """By its name, with or without arguments."""
    first_words = {word.partition("[")[0].partition("<")[0].strip() for word in WORDS}
    missing = {item.name for item in commands()} - {
        " ".join(words[:count]) for words in map(str.split, first_words) for count in (1, 2)
    }
    assert not missing, f"docs/protocol.md does not mention {', '.join(sorted(missing))}"


def test_every_command_stands_with_its_role() -> None:
    """Those for strangers, users and admins are told apart."""
    strangers, _, rest = PROTOCOL.partition("Built in are, for everybody:")[2].partition("For the role `user`:")
    users, _, admins = rest.partition("For the role `admin`:")
    places = {Role.NOBODY: strangers, Role.USER: users, Role.ADMIN: admins.partition("### Filters")[0]}
    for item in commands():
        assert re.search(rf"`{item.name}[` ]", places[item.role]), f"{item.name} is for {item.role.label}"


def test_every_field_of_a_description_is_explained() -> None:
    """What `COMMANDS` gives of a command, and of an argument."""
    assert set(rows("field of a command")) == set(CommandDescription._fields)
    assert set(rows("field of an argument")) == set(ArgumentDescription._fields)
    assert {name for name, _ in _CONVERSIONS.values()} <= WORDS


def test_every_reply_kind_is_explained() -> None:
    """As text and as RESP."""
    assert set(rows("kind")) == {str(kind) for kind in ReplyKind}


def test_every_filter_is_explained() -> None:
    """What `CLIENTS`, `CLIENT LIST` and `CLIENT KILL` understand."""
    found = {word for row in rows("filter") for word in re.findall(r"(?:^|`)([A-Z]{2,}(?:-[A-Z]+)?)\b", row)}
    assert found == set(_TAKES)


def test_every_field_of_a_filter_is_explained() -> None:
    """With the operators that it takes."""
    table = PROTOCOL.partition("| field | of a connection |")[2].partition("\n\n")[0]
    told: dict[str, tuple[str, ...]] = {}
    for line in table.splitlines()[2:]:
        names, _, operators = line.strip("| ").split(" | ")
        told |= {name: tuple(operators.strip("`").split()) for name in re.findall(r"`([a-z-]+)`", names)}
    assert told == {name: field.kind.operators for name, field in FIELDS.items()}


def test_every_event_and_what_can_be_asked_about_it_is_explained() -> None:
    """Its kinds, the fields of its filter and of that of lines, and the bounds of watching."""
    section = PROTOCOL.partition("\n## Events\n")[2].partition("\n## ")[0]
    told = {word.strip("`") for cell in rows("`event`") for word in cell.split(", ")}
    assert told == {*KINDS, DROPPED}
    assert not [field for field in (*EVENT_FIELDS, *LINE_FIELDS) if f"`{field}`" not in section]
    for words in (
        f"at most {QUEUE:,} events wait for each",
        f"and {INBOX:,} before it is known",
        f"There are {MOST_WATCHERS} of them at once",
        f"told {round(TOLD / GATHER_SECONDS):,} a second",
        f"for {QUIET_SECONDS:.0f} s, a push",
        f"the last {MOST_BYTES // 1024**2} MB",
        f"the first {ARGUMENTS}, {ARGUMENT_CHARACTERS} characters of each",
    ):
        assert words in " ".join(section.split()), words
    assert RESERVED * 4 == INBOX, "the page says: a quarter"


def test_all_that_is_told_of_one_client_is_explained() -> None:
    """With its bounds."""
    section = PROTOCOL.partition("\n### One client\n")[2].partition("\n## ")[0]
    for words in (
        f"the first {FIRST} and the latest, {MOMENTS} in all",
        f"its last {COMMANDS} commands",
        f"{JOBS} at most",
        *(f"`{name}`" for name in TOKEN_SHOWN),
    ):
        assert words in " ".join(section.split()), words


def test_every_field_of_the_client_list_is_explained(host: Host) -> None:
    """Redis' and ours."""
    section = PROTOCOL.partition("### `CLIENT LIST`")[2].partition("```")[0]
    fields = [pair.partition("=")[0] for pair in describe(host.local(), 0.0).split()]
    assert not [field for field in fields if f"`{field}`" not in section]


def test_every_foreign_client_that_is_tried_is_in_the_table() -> None:
    """And none that is not."""
    page = (DOCS / "clients.md").read_text(encoding="utf-8")
    programs = {path.name for path in (ROOT / "tests" / "integration" / "foreign").iterdir() if path.is_file()}
    assert set(re.findall(r"\| `(\w+\.\w+)` \|", page)) == programs


def test_the_numbers_are_those_of_the_program() -> None:
    """Limits, defaults and names in the text are what the code has."""
    config, (before, after) = Config(), (BEFORE_AUTHENTICATION, AUTHENTICATED)
    table = rows("")
    assert table["a text line"] == [f"{before.line_bytes} bytes", _size(after.line_bytes)]
    assert table["name and arguments, counted together"] == [str(before.arguments), str(after.arguments)]
    assert table["one argument"] == [f"{before.argument_bytes} bytes", _size(after.argument_bytes)]
    assert table["all arguments of a request"] == [f"{before.request_bytes} bytes", _size(after.request_bytes)]
    assert table["requests read ahead"] == ["1", str(config.limits.pending_requests)]
    for words in (
        f"`timeouts.handshake` ({_seconds(config.timeouts.handshake)})",
        f"`timeouts.authentication` ({_seconds(config.timeouts.authentication)})",
        f"`timeouts.write` ({_seconds(config.timeouts.write)})",
        f"`timeouts.linger` ({_seconds(config.timeouts.linger)})",
        f"`limits.pending_requests`, {config.limits.pending_requests})",
        f"{_size(config.limits.pending_bytes)} (`limits.pending_bytes`), an argument counting {ARGUMENT_WEIGHT} bytes",
        f"{_size(config.limits.pending_total)} at most (`limits.pending_total`)",
        f"`timeouts.request` ({_seconds(config.timeouts.request)})",
        f"({_size(config.limits.output_high_water)})",
        f"port {config.listen.port} ",
        f"`{ALPN_OURS}`",
        f"`{ADMIN_SOCKET}`",
        f"{LABEL_CHARACTERS} printable",
        f"({REASON_CHARACTERS} characters",
        f"{ITERATIONS} iterations; the client should refuse to count beyond {MOST_ITERATIONS}.",
        f"printable ASCII, at most {MESSAGE_CHARACTERS} characters",
        " or ".join(f"`{language}`" for language in LANGUAGES),
    ):
        assert words in " ".join(PROTOCOL.split()), words
    assert ATTEMPTS == 3, "the page says: three refused tokens"


def test_every_setting_that_the_page_names_exists() -> None:
    """`timeouts.idle` and the like."""
    config = Config()
    for word in WORDS:
        if match := re.fullmatch(r"(tls|authentication|timeouts|limits|requests|threads|log|listen)\.(\w+)", word):
            assert hasattr(getattr(config, match[1]), match[2]), word


def test_every_option_of_the_server_is_mentioned() -> None:
    """What `secure-server run` takes stands in the documentation."""
    pages = "".join(path.read_text(encoding="utf-8") for path in DOCS.glob("*.md"))
    options = [name for item in run.params if isinstance(item, click.Option) for name in item.opts]
    assert len(options) >= 6
    assert not [name for name in options if not re.search(rf"{name}\b", pages)]


@pytest.mark.parametrize(
    "page", [*DOCS.glob("*.md"), ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"], ids=lambda page: page.name
)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """A file that is linked to is there."""
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert target.startswith(("https://", "http://")) or (page.parent / target).exists(), target


@pytest.mark.parametrize(
    "page", [*DOCS.glob("*.md"), ROOT / "CONTRIBUTING.md", ROOT / "README.md"], ids=lambda page: page.name
)
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    """By the path of its file, which a page may leave out where it named it just before; and by its name, if any."""
    file = ""
    for path, name, further in re.findall(
        r"([\w/]*\btest_\w+\.py)(?:::(\w+))?|(?:`|…)::(\w+)", page.read_text(encoding="utf-8")
    ):
        file = path or file
        assert (ROOT / file).is_file(), file
        if wanted := name or further:
            assert f"\ndef {wanted}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{wanted}"


def _size(number: int) -> str:
    """As the page writes it: `64 KB`."""
    return re.sub(r"(?<=\d)(?=[A-Z])", " ", str(Size(number)))


def _seconds(number: float) -> str:
    return f"{number:g} s"
