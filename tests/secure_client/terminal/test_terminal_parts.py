"""The parts of the terminal that need no terminal: completion, hints, toolbar, rendering, history, news."""

from __future__ import annotations

import io
import json
import re
import stat
import threading
from pathlib import Path

import pytest
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text.utils import fragment_list_to_text
from prompt_toolkit.utils import get_cwidth

from secure_client import CommandFailed, ConnectError, EndedByServerError, RevokedError, SetupError, State, Status
from secure_client.answers.formats import Format
from secure_client.answers.rendering import Renderer
from secure_client.catalogue import Catalogue
from secure_client.core.endpoint import TransportChoice
from secure_client.core.login import Session
from secure_client.core.status import Way
from secure_client.profiles import places
from secure_client.profiles.turns import turn
from secure_client.terminal import news
from secure_client.terminal.appearance import LocalCommand
from secure_client.terminal.prompt import history, keys, toolbar
from secure_client.terminal.prompt.completion import CommandCompleter
from secure_client.terminal.prompt.hint import PRESENT, Hint, hint_of
from secure_client.typed.checking import faults
from secure_client.typed.line import Line
from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.replies import ErrorReply, ReplyKind, Verbatim
from secure_protocol.replies import Status as Word
from tests.secure_client.scripted_server import COMMANDS, PATIENCE

CATALOGUE = Catalogue(
    [
        *COMMANDS,
        CommandDescription(
            "HELP", "Explain", arguments=(ArgumentDescription("command", optional=True, variadic=True),)
        ),
        CommandDescription("TAG", arguments=(ArgumentDescription("tag", choices=("two words", "one"), variadic=True),)),
    ]
)
SESSION = Session(1, "ana", "user", "test")


def completer_of(catalogue: Catalogue) -> CommandCompleter:
    """One that asks no server."""
    return CommandCompleter(lambda: catalogue, {"\\help": LocalCommand("Help.", lambda _words: "")})


def offered(text: str, catalogue: Catalogue = CATALOGUE) -> list[str]:
    """What the menu shows after `text`."""
    found = completer_of(catalogue).get_completions(Document(text), CompleteEvent())
    return [item.text.rstrip() for item in found]


def tabbed(typed: str, catalogue: Catalogue = CATALOGUE) -> tuple[str, list[str]]:
    """What stands in the line, and in the menu, after `typed` and Tab."""

    class Menu(Buffer):
        """One whose menu needs no running program."""

        def start_completion(
            self,
            select_first: bool = False,  # noqa: FBT001, FBT002 - as prompt-toolkit has it
            select_last: bool = False,  # noqa: FBT001, FBT002
            insert_common_part: bool = False,  # noqa: FBT001, FBT002
            complete_event: CompleteEvent | None = None,
        ) -> None:
            del select_last, insert_common_part, complete_event
            self._set_completions(list(completer_of(catalogue).get_completions(self.document, CompleteEvent())))
            if select_first:
                self.complete_next()

    buffer = Menu(document=Document(typed))
    found = list(completer_of(catalogue).get_completions(buffer.document, CompleteEvent()))
    buffer._set_completions(found)
    keys.take(buffer, found)
    state = buffer.complete_state
    return buffer.text, [item.text for item in state.completions] if state is not None else []


@pytest.mark.parametrize(
    ("text", "menu"),
    [
        ("ec", ["ECHO"]),
        ("Ti", ["TIME"]),
        ("ECHO", []),
        ("cl", ["CLIENT", "CLIENTS"]),
        ("client ", ["GETNAME", "ID"]),
        ("CLIENT g", ["GETNAME"]),
        ("client id ", []),
        ("restart ", ["web", "worker"]),
        ("restart WO", ["worker"]),
        ("restart web ", ["--force", "--signal"]),
        ("restart -", ["--force", "--signal"]),
        ("restart web --force ", ["--signal"]),
        ("restart --signal ", ["TERM", "KILL"]),
        ("restart --signal k", ["KILL"]),
        ("restart --signal KILL w", ["web", "worker"]),
        ("help ec", ["ECHO"]),
        ("help echo t", ["TIME", "TAG"]),
        ("tag ", ['"two words"', "one"]),
        ("tag one o", ["one"]),
        ("unknown ", []),
        ("\\", ["\\help"]),
        ("\\h", ["\\help"]),
        ("  ec", ["ECHO"]),
        ("cho", ["ECHO"]),
        ("tm", ["TIME"]),
        ("client nam", ["GETNAME"]),
        ("restart rk", ["worker"]),
        ("restart web --ig", ["--signal"]),
        ("zq", []),
    ],
)
def test_completion(text: str, menu: list[str]) -> None:
    """Names, subcommands, choices, flags and their values, all of it from the server's descriptions.

    In any case; what holds what was typed, or its letters, is offered where nothing begins with it.
    """
    assert sorted(offered(text)) == sorted(menu)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("ec", "ECHO "),
        ("exi", "EXIT"),
        ("cl", "CLIENT"),
        ("client g", "client GETNAME"),
        ("restart wo", "restart worker"),
        ("restart web --f", "restart web --force"),
        ("restart web --s", "restart web --signal "),
        ("tag o", "tag one"),
        ("tag t", 'tag "two words"'),
        ("help ec", "help ECHO"),
        ("zq", "zq"),
    ],
)
def test_tab_completes_what_there_is_to_complete(typed: str, line: str) -> None:
    """A sole candidate at once, with a blank where more may follow; of several what all have in common."""
    shown, menu = tabbed(typed)
    assert shown == line
    assert not menu or line in ("CLIENT", typed)


def test_tab_goes_through_the_menu_where_nothing_is_in_common() -> None:
    """From the first one on."""
    shown, menu = tabbed("restart w")
    assert (shown, sorted(menu)) == ("restart web", ["web", "worker"])


@pytest.mark.parametrize(
    ("text", "menu", "hint"),
    [
        ("job ", ["START"], ""),
        ("job start re", ["RESTART"], "JOB START [words …]"),
        ("JOB START client g", ["GETNAME"], "JOB START [words …]"),
        ("job start restart wo", ["worker"], "RESTART web|worker "),
        ("job start --key ", [], "JOB START [words …]"),
        ("job start --key k restart web -", ["--force", "--signal"], "RESTART web|worker "),
        ("job start --key=k ti", ["TIME"], "JOB START [words …]"),
        ("job start unknown ", [], "JOB START [words …]"),
    ],
)
def test_what_a_job_is_started_of_is_completed_as_by_itself(text: str, menu: list[str], hint: str) -> None:
    """Behind JOB START and its options another line begins."""
    words = ArgumentDescription("words", optional=True, variadic=True)
    catalogue = Catalogue([*COMMANDS, CommandDescription("JOB START", arguments=(words,))])
    assert sorted(offered(text, catalogue)) == sorted(menu)
    assert hinted(text, catalogue).replace("<", "").replace(">", "").startswith(hint)
    assert bool(hinted(text, catalogue)) is bool(hint)


def test_an_empty_line_is_offered_everything_once() -> None:
    """CLIENT stands for all of its subcommands."""
    assert offered("").count("CLIENT") == 1
    assert len(offered("")) == len({command.name.split()[0] for command in COMMANDS} | {"HELP", "TAG"})


def test_what_the_server_says_of_itself_cannot_reach_the_terminal() -> None:
    """Names and summaries are made printable."""
    wicked = Catalogue([CommandDescription("EVIL\x1b[2J", "red \x1b[31m")])
    completer = CommandCompleter(lambda: wicked, {})
    (item,) = completer.get_completions(Document("e"), CompleteEvent())
    assert "\x1b" not in item.text
    assert "\x1b" not in item.display_meta_text
    assert "\x1b" not in hinted("evil\x1b[2j", wicked)


def test_a_catalogue_passes_over_what_is_no_description() -> None:
    """A newer server may send more kinds of things."""
    assert Catalogue.from_wire([{"name": "A"}, {"summary": "nameless"}, 7]).names == ["A"]
    assert Catalogue.from_wire("nonsense").names == []
    assert not Catalogue()


@pytest.mark.parametrize("name", [" ", "\u2003", "A ", " A\t\nB "])
@pytest.mark.parametrize("text", ["", "a", "a ", "a b "])
def test_blanks_in_names_end_no_prompt(name: str, text: str) -> None:
    """What is asked for at each key must not fail, whatever a server calls its commands."""
    known = Catalogue.from_wire([{"name": name, "arguments": [{"name": name}]}])
    assert known.names == ([" ".join(name.split())] if name.strip() else [])
    list(CommandCompleter(lambda: known, {}).get_completions(Document(text), CompleteEvent()))
    hinted(text, known)


def hinted(line: str, catalogue: Catalogue = CATALOGUE, columns: int = 1000) -> str:
    """What the toolbar says of a line with the cursor where `^` stands, else at its end; what it marks in brackets."""
    before, mark, behind = line.partition("^")
    cursor = len(before) if mark else len(line)
    found = hint_of(catalogue, before + behind, cursor).fitted(columns)
    assert get_cwidth("".join(text for _style, text, *_more in found)) <= columns
    return "".join(f"<{text}>" if style == PRESENT else text for style, text, *_more in found)


def test_the_hint_is_of_the_command_being_typed() -> None:
    """Syntax and summary; a subcommand's before its first word's; nothing for what is unknown."""
    assert hinted("echo") == "ECHO [text …] — Say it back"
    assert hinted("client id").startswith("CLIENT ID")
    assert hinted("client") == ""
    assert hinted("") == ""


PLACED = Catalogue(
    [
        CommandDescription(
            "PLACE ORDER",
            "Order it.",
            arguments=(
                ArgumentDescription("what", choices=("tea", "coffee")),
                ArgumentDescription("cups", "int", minimum=1, maximum=12, summary="How many"),
                ArgumentDescription("name", optional=True, default="yours"),
                ArgumentDescription("note", optional=True, variadic=True),
                ArgumentDescription("sugar", "int", optional=True, flag=True, minimum=0, summary="Spoons"),
                ArgumentDescription("hot", "bool", optional=True, flag=True, summary="Or cold"),
            ),
        ),
        CommandDescription("OPEN", arguments=(ArgumentDescription("door"), ArgumentDescription("pin", secret=True))),
    ]
)


@pytest.mark.parametrize(
    ("line", "marked", "told"),
    [
        ("place order", "", "Order it."),
        ("place order ", "<tea|coffee>", "Order it."),
        ("place order t^ 3 me", "<tea|coffee>", "Order it."),
        ("place order tea 3^ me", "<cups>", "How many, 1 … 12"),
        ("place order tea ^", "<cups>", "How many, 1 … 12"),
        ("place order tea 3 ", "<[name]>", "otherwise yours"),
        ("place order tea 3 me a b^", "<[note …]>", ""),
        ("place order --sugar ", "<[--sugar sugar]>", "Spoons, ≥ 0"),
        ("place order tea --hot^", "<[--hot]>", "Or cold"),
    ],
)
def test_the_hint_moves_with_the_cursor(line: str, marked: str, told: str) -> None:
    """What the cursor is at is marked, and told of. Where there is little room, it is that which is shown."""
    text = hinted(line, PLACED)
    assert re.findall("<.*?>", text) == ([marked] if marked else [])
    assert (text.partition(" — ")[2]) == told
    for columns in (60, 30, 20, 12):
        assert marked.strip("<>")[: columns - 1] in hinted(line, PLACED, columns)


def test_what_does_not_fit_is_left_out_around_the_present_argument() -> None:
    """In the order of its use."""
    assert hinted("place order tea ", PLACED, 42) == "… <cups> [name] [note …] [--sugar sugar] …"
    assert hinted("place order tea 3 x --sugar 3^", PLACED, 40) == "… [note …] <[--sugar sugar]> [--hot] — Sp…"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("pla", None),
        ("place", None),
        ("brew", None),
        ("brew ", ("brew", "there is no command brew")),
        ("scs_0123 ", ("scs_0123", "there is no command scs_0123_…")),
        ("place tea", None),
        ("place tea ", ("tea", "PLACE has no tea: it has ORDER")),
        ("place order t", None),
        ("place order x", ("x", "what is one of tea, coffee")),
        ("place order te ", ("te", "what is one of tea, coffee")),
        ("place order TEA ", None),
        ("place order tea -", None),
        ("place order tea 1", None),
        ("place order tea x", ("x", "cups is a number, and x is none")),
        ("place order tea 0", None),
        ("place order tea 0 ", ("0", "cups is 1 at least")),
        ("place order tea 13", ("13", "cups is 12 at most")),
        ("place order tea 3 me and more words", None),
        ("place order --su", None),
        ("place order --salt", ("--salt", "there is no --salt: there is --sugar, --hot")),
        ("place order --sugar x ", ("x", "sugar is a number, and x is none")),
        ("place order tea 3 -- --salt ", None),
        ("open door s3cret of mine", ("of", "*** is one argument too many")),
        ('place order "te', None),
        ('place order "tea" 1', None),
        ('place order x"t\\"e', ('x"t\\"e', "what is one of tea, coffee")),
        ('place order "tea"1 ', ('"tea"1', "behind a closing quote comes a blank")),
        ("place order 'tea'1", ("'tea'1", "behind a closing quote comes a blank")),
        (r"place order tea 1 'it\'s'", None),
        (r'place order tea 1 "a \" b"', None),
        ("place order 'tea 1 ", ("'tea 1 ", "what is one of tea, coffee")),
        ("\\nonsense x", None),
        ("# x y", None),
    ],
)
def test_faults_are_told_before_the_line_is_sent(line: str, fault: tuple[str, str] | None) -> None:
    """Only what is sure; what may still become right is not told, nor anything before the commands are known."""
    marked = [item for item in faults(PLACED, line, len(line)) if not item.unfinished]
    found = [(line[item.start : item.end], item.sentence) for item in marked]
    assert found[:1] == ([fault] if fault is not None else [])
    assert list(faults(Catalogue(), line, len(line))) == []
    if fault is not None:
        assert hinted(line, PLACED) == fault[1]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status(State.CONNECTED, SESSION), "connected"),
        (Status(State.CONNECTING), "connecting"),
        (Status(State.WAITING, until=103.2), "reconnecting in 4 s"),
        (Status(State.WAITING, until=90.0), "reconnecting in 0 s"),
        (Status(State.IDLE), "idle: the next command connects"),
        (Status(State.STOPPED, error=RevokedError("x")), "stopped: revoked"),
        (Status(State.STOPPED, error=EndedByServerError("x", "kicked")), "stopped: kicked"),
        (Status(State.STOPPED, error=ConnectError("x")), "stopped: unreachable"),
        (Status(State.STOPPED), "stopped: closed"),
    ],
)
def test_the_state_in_words(status: Status, words: str) -> None:
    """Readable without colours."""
    assert toolbar.state_words(status, 100.0) == words


@pytest.mark.parametrize(
    ("way", "choice", "words"),
    [
        (Way("tls"), TransportChoice.TLS, "connected"),
        (Way("tls"), TransportChoice.AUTO, "connected (tls)"),
        (Way("quic"), TransportChoice.AUTO, "connected (quic)"),
        (Way("quic"), TransportChoice.QUIC, "connected (quic)"),
        (Way("quic", "192.0.2.7"), TransportChoice.QUIC, "connected (quic), moved to 192.0.2.7"),
        (Way("unix"), TransportChoice.TLS, "connected"),
    ],
)
def test_by_what_it_is_connected(way: Way, choice: TransportChoice, words: str) -> None:
    """Where it was left open, or is not the usual."""
    assert toolbar.state_words(Status(State.CONNECTED, SESSION, way=way), 100.0, choice) == words


def test_news_is_told_once() -> None:
    """Every failed try has the same text: one line, and the toolbar counts."""
    down = Status(State.WAITING, error=ConnectError("Cannot reach it."))
    start = Status(State.CONNECTED, SESSION)
    assert news.of_connection(start, down, "box:1", "ana") == "Cannot reach it. Reconnecting in the background."
    assert news.of_connection(down, down, "box:1", "ana") == ""
    assert news.of_connection(down, Status(State.CONNECTING, error=down.error), "box:1", "ana") == ""
    assert news.of_connection(down, start, "box:1", "ana") == "Connected again to box:1 as ana."
    assert news.of_connection(down, start, "box:1", "") == "Connected again to box:1 as admin."
    assert news.of_connection(start, start, "box:1", "ana") == "", "of the first connection, told late"
    away = Status(State.WAITING, error=EndedByServerError("Sent away.", "kicked", 300.0), until=400.0)
    told = "Sent away. Connecting again in 5 min; \\reconnect tries now."
    assert news.of_connection(start, away, "box:1", "ana") == told
    assert "\\reconnect" in news.of_connection(start, Status(State.STOPPED, error=RevokedError("No.")), "b", "a")
    assert "next command" in news.of_connection(
        start, Status(State.IDLE, error=EndedByServerError("I.", "idle")), "b", "a"
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('place order "te', "a quote is not closed, Order it."),
        ("place order tea 3 me it's^", "a quote is not closed"),
        ('place order tea "3', "a quote is not closed, How many, 1 … 12"),
        ('place order tea 3 "a \\', "a quote is not closed, otherwise yours"),
        ('place order tea 3 "a \\" b', "a quote is not closed, otherwise yours"),
    ],
)
def test_an_open_quote_is_told_beside_the_hint_while_one_types(line: str, told: str) -> None:
    """And in its place once the cursor is elsewhere. What is underlined is the quote."""
    assert hinted(line, PLACED).partition(" — ")[2] == told
    typed = line.replace("^", "")
    for cursor in (len(typed), 0):
        (fault,) = faults(PLACED, typed, cursor)
        assert (typed[fault.start], fault.end - fault.start, fault.unfinished) == (
            typed[typed.index("'") if "'" in typed else typed.index('"')],
            1,
            cursor > 0,
        )
    assert hint_of(PLACED, typed, 0).fault == "a quote is not closed"


@pytest.mark.parametrize("columns", [80, 40, 20, 5, 1])
def test_the_toolbar_fits(columns: int) -> None:
    """In every window, wide characters too; the state stays longest."""
    hint = hint_of(Catalogue([CommandDescription("RESTART", "再起動する")]), "restart", 7)
    text = fragment_list_to_text(toolbar.layout(hint, ("再起", "ana@box"), "connected", "", columns))
    assert get_cwidth(text) <= max(columns, 2)
    if columns >= 20:
        assert "connected" in text
    assert ("ana@box" in text, "再起  " in text) == (columns >= 80, columns >= 80), "the more dispensable goes first"


def test_the_toolbar_says_the_state_where_the_server_has_a_long_name() -> None:
    """That gives way, and not what changes."""
    extra = ("ana@a-server-with-a-long-name.example.org:5000",)
    text = fragment_list_to_text(toolbar.layout(Hint(), extra, "reconnecting in 12 s", "", 40))
    assert text.endswith("…  reconnecting in 12 s ")
    assert get_cwidth(text) == 40
    assert "ana@" in text


def shown(value: object, description: CommandDescription | None = None, *, people: bool = False) -> str:
    """What the renderer writes."""
    stream = io.StringIO()
    Renderer(stream, people=people).answer("X", value, description)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("value", "description", "text"),
    [
        ("hi", CommandDescription("ECHO", form="ECHO: {}"), "ECHO: hi\n"),
        ("hi", CommandDescription("ECHO", form="{0.__class__}"), "hi\n"),
        ("a\nb", CommandDescription("ECHO"), "a\\x0ab\n"),
        ("a\nb", CommandDescription("X", reply=ReplyKind.LINES), "a\nb\n"),
        ("a\x1b[31m", None, "a\\x1b[31m\n"),
        (Verbatim("a\nb"), None, "a\nb\n"),
        (["a", "b"], None, "a\nb\n"),
        ({"a": 1, "b": None}, None, "a: 1\nb: -\n"),
        (Word("OK"), None, "OK\n"),
        (None, None, "-\n"),
        (7, None, "7\n"),
        (True, None, "yes\n"),
        (["x", "y"], CommandDescription("TIME", reply=ReplyKind.TIMESTAMP), "x\ny\n"),
        (["99999999999999999", "0"], CommandDescription("TIME", reply=ReplyKind.TIMESTAMP), "99999999999999999\n0\n"),
        ([], CommandDescription("T", reply=ReplyKind.TABLE, columns=("id",), empty="Nobody."), "Nobody.\n"),
        ([{"id": 1, "n": "x"}], CommandDescription("T", reply=ReplyKind.TABLE, columns=("n", "id")), "n  id\nx  1\n"),
        ([{"id": 1}, {"b": 2}], None, "id  b\n1   -\n-   2\n"),
        ([{"id": 1}, {"id": 2}], CommandDescription("T"), "id\n1\n2\n"),  # it did not say so, and is one
        ("no rows", CommandDescription("T", reply=ReplyKind.TABLE), "no rows\n"),
        ("", CommandDescription("X", reply=ReplyKind.LINES), ""),
    ],
)
def test_answers_as_text(value: object, description: CommandDescription | None, text: str) -> None:
    """In the command's wording and order, printable; also what comes in another form than announced."""
    assert shown(value, description) == text


def test_a_timestamp_is_local_time_with_its_offset() -> None:
    """ISO 8601, as text connections show it."""
    text = shown(["1700000000", "5"], CommandDescription("TIME", reply=ReplyKind.TIMESTAMP))
    assert text.startswith("2023-11-1")
    assert text.strip()[19] in "+-Z"


def test_a_table_for_people_has_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """And markup in a cell is text."""
    monkeypatch.setenv("NO_COLOR", "1")
    text = shown([{"id": "[bold]x[/bold]"}], people=True)
    assert "[bold]x[/bold]" in text
    assert "──" in text


def test_json_is_one_value_per_command() -> None:
    """ASCII, so that nothing in it moves a cursor; failures too."""
    stream = io.StringIO()
    renderer = Renderer(stream, form=Format.JSON)
    renderer.answer("X", {"é\x1b": [1.5, float("inf"), None, ("t",), ErrorReply("ERR", "no")], 3: "\udc80"}, None)
    renderer.failure("Y", CommandFailed("NOPERM", "You may not."))
    renderer.failure("Z", SetupError("A quote."))
    lines = stream.getvalue().splitlines()
    assert stream.getvalue().isascii()
    assert json.loads(lines[0])["reply"] == {"é\x1b": [1.5, "inf", None, ["t"], "ERROR: no"], "3": "\udc80"}
    assert json.loads(lines[1]) == {"command": "Y", "ok": False, "code": "NOPERM", "error": "You may not."}
    assert json.loads(lines[2])["error"] == "A quote."


def test_a_failure_as_text_is_no_data() -> None:
    """It goes to stderr, by whoever runs the mode."""
    stream = io.StringIO()
    Renderer(stream).failure("X", SetupError("x"))
    assert stream.getvalue() == ""


def test_a_line_is_split_as_the_server_splits_it() -> None:
    """Quotes and escapes; an empty line is nothing; an open quote is told."""
    line = Line.parse(' ECHO "a b" c ')
    assert line is not None
    assert (line.text, line.words, line.names) == ('ECHO "a b" c', (b"ECHO", b"a b", b"c"), ["ECHO", "a b"])
    assert Line.parse("   ") is None
    with pytest.raises(SetupError, match="quote"):
        Line.parse('ECHO "x')


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("AUTH x", True),
        ("  auth x y", True),
        ('"AUTH" x', True),
        ("HELLO 3 AUTH default x", True),
        ("ECHO scs_x", True),
        ("ECHO auth", False),
        ("HELLO 3", False),
        ("AUTHORS", False),
    ],
)
def test_lines_with_secrets_are_known(text: str, secret: bool) -> None:  # noqa: FBT001 - a table's column
    """By the commands that take a token, and by a token's own beginning."""
    assert history.is_secret(text) is secret


def test_the_history_file_is_private_and_bounded(tmp_path: Path) -> None:
    """Also one that was made readable by hand; its older half goes when it is too long."""
    path = tmp_path / "state" / "history"
    path.parent.mkdir()
    path.write_text("".join(f"\n# 2026-01-01\n+ECHO {number}\n" for number in range(60_000)), encoding="ascii")
    path.chmod(0o644)
    kept = history.PrivateHistory(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size <= history.MOST_BYTES // 2
    strings = list(kept.load_history_strings())
    assert strings[0] == "ECHO 59999"
    assert all(string.startswith("ECHO ") for string in strings)


def test_a_line_that_is_typed_twice_in_a_row_is_kept_once(tmp_path: Path) -> None:
    """Also where it was typed ahead, and several lines at once."""
    kept = history.PrivateHistory(tmp_path / "state" / "history")
    for line in ("ECHO a", "ECHO a", "TIME", "ECHO a", "ONE\nTWO", "ONE\nTWO"):
        kept.append_string(line)
    assert kept.get_strings() == ["ECHO a", "TIME", "ECHO a", "ONE\nTWO"]
    assert list(kept.load_history_strings()) == kept.get_strings()[::-1]


def test_a_line_that_comes_while_another_terminal_shortens_the_file_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits; not for ever, and then it is written all the same."""
    path = tmp_path / "state" / "history"
    first = history.PrivateHistory(path)
    monkeypatch.setattr(history, "MOST_BYTES", 1000)
    monkeypatch.setattr(history, "PATIENCE", PATIENCE)
    first.store_string("x" * 2000)
    first.store_string("ECHO before")
    write = threading.Thread(target=first.store_string, args=("ECHO meanwhile",))
    replace = places.write_private

    def slowly(to: Path, data: bytes) -> None:
        write.start()
        write.join(0.2)  # as long as it takes, were it not to wait
        replace(to, data)

    monkeypatch.setattr(places, "write_private", slowly)
    history.PrivateHistory(path)
    write.join()
    assert list(first.load_history_strings())[:2] == ["ECHO meanwhile", "ECHO before"]
    assert path.stat().st_size < 1000
    with turn(path.parent):
        monkeypatch.setattr(history, "PATIENCE", 0.0)
        first.store_string("ECHO last")
    assert next(iter(first.load_history_strings())) == "ECHO last"


def test_a_disk_that_fails_ends_no_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The history is then of this session alone."""
    path = tmp_path / "state" / "history"
    kept = history.PrivateHistory(path)
    path.unlink()
    path.mkdir()
    kept.append_string("ECHO x")
    assert kept.get_strings() == ["ECHO x"]
    (tmp_path / "file").write_text("", encoding="ascii")
    monkeypatch.setenv("SECURE_CLIENT_HOME", str(tmp_path / "file"))
    assert list(history.open_history("history").load_history_strings()) == []
