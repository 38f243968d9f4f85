"""Declared commands, run for real: what reaches the program, what reaches the peer, and how it ends."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from secure_protocol.errors import ErrorCode
from secure_server.auth.principal import Role
from secure_server.commands.programs.program import declare
from secure_server.session.session import Session
from tests.secure_server.host import Host, taken

SHOW = ["sh", "-c", 'for word; do printf "<%s>\\n" "$word"; done', "sh"]
"""Prints its arguments, one a line."""
BIDIRECTIONAL = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""What turns the direction of text."""


def answered(host: Host, session: Session, output: bytes) -> bytes:
    """All that a running command has to say."""
    while session.busy:
        host.turn()
        output += taken(session)
    return output


def ask(host: Host, line: str, session: Session | None = None) -> list[str]:
    """Send a line as a person, and return the lines of the answer without the end's `.`."""
    session = session or host.user()
    lines = answered(host, session, host.send(session, f"{line}\n".encode())).decode().splitlines()
    assert (lines[-1] == ".") is (len(lines) > 1 or not lines[0].startswith("ERROR")), lines
    return [text for text in lines if text != "."]


def add(host: Host, name: str = "RUN", **table: object) -> None:
    """Declare a command."""
    host.registry.add(declare(name, table, {"PATH": "/usr/bin:/bin", "HOME": "/home/x", "SECRET_TOKEN": "x"}))


def test_each_argument_stays_one_entry(host: Host) -> None:
    """No shell, no splitting, no substitution in what a peer sent; placeholders also inside an entry."""
    arguments = {"a": {}, "b": {"default": "B"}, "c": {"variadic": True, "optional": True}}
    add(host, run=[*SHOW, "{a}", "--b={b}", "{{a}}", "{}", "{c}"], arguments=arguments)
    assert ask(host, "RUN x") == ["<x>", "<--b=B>", "<{a}>", "<{}>"]
    assert ask(host, 'run "a b; $(id) {b}" "" "*" "`id`"', host.user("b")) == [
        "<a b; $(id) {b}>", "<--b=>", "<{a}>", "<{}>", "<*>", "<`id`>",
    ]  # fmt: skip


def test_what_is_left_out_takes_its_entry_with_it(host: Host) -> None:
    """So that a program never sees an empty argument that nobody gave."""
    add(host, run=[*SHOW, "--n={n}", "end"], arguments={"n": {"type": "int", "optional": True}})
    session = host.user()
    assert ask(host, "RUN", session) == ["<end>"]
    assert ask(host, "RUN 07", session) == ["<--n=7>", "<end>"]


def test_fractions_have_no_exponent(host: Host) -> None:
    """Programs read `0.00001`."""
    add(host, run=[*SHOW, "{n}"], arguments={"n": {"type": "float"}})
    assert ask(host, "RUN 1e-5") == ["<0.00001>"]


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("-rf", "Argument x: -rf begins with -, so a program could take it for an option."),
        ("-", "Argument x: - begins with -, so a program could take it for an option."),
        (r'"a\nb"', r"Argument x: a\x0ab holds a control character."),
        (r'"a\x00b"', r"Argument x: a\x00b holds a control character."),
        (r'"\xff"', r"Argument x: \xff is not a valid str."),
        ("é" * 2049, f"Argument x: {'é' * 60}… is longer than 4096 bytes."),
        ("a\x85b", r"Argument x: a\x85b holds a control character."),
        ("a\x9b2Jb", r"Argument x: a\x9b2Jb holds a control character."),
        ("a\u2028b", r"Argument x: a\u2028b holds a control character."),
        ("a\u2029b", r"Argument x: a\u2029b holds a control character."),
        *((f"a{mark}b", rf"Argument x: a\u{ord(mark):04x}b holds a control character.") for mark in BIDIRECTIONAL),
    ],
)
def test_what_a_program_could_misread_is_refused(host: Host, argument: str, sentence: str) -> None:
    """Before anything runs."""
    add(host, run=[*SHOW, "{x}"], arguments={"x": {}})
    assert ask(host, f"RUN {argument}") == [f"ERROR: {sentence}"]


def test_controls_beyond_ascii_can_be_allowed(host: Host) -> None:
    """Where the declaration says so, or the word is one of its own; what joins letters and emoji always is."""
    add(host, run=[*SHOW, "{x}"], arguments={"x": {"unicode_controls": True}})
    add(host, "CHOOSE", run=[*SHOW, "{x}"], arguments={"x": {"choices": ["\u200f"]}})
    add(host, "PLAIN", run=[*SHOW, "{x}"], arguments={"x": {}})
    program = host.program(3, "p")

    def told(*words: str) -> str:
        return answered(host, program, host.call(program, *words)).decode()

    for text in (BIDIRECTIONAL, "\x85\x9b", "\u2028\u2029"):
        assert f"<{text}>" in told("RUN", text)
    assert "<\u200f>" in told("CHOOSE", "\u200f")
    assert "<\u200c\u200d\xad>" in told("PLAIN", "\u200c\u200d\xad")
    assert told("RUN", "\x1b") == "-ERR Argument x: \\x1b holds a control character.\r\n"


def test_an_argument_is_as_long_as_it_is_declared(host: Host) -> None:
    """Shorter, or longer, than 4096 bytes."""
    add(host, run=[*SHOW, "{x}"], arguments={"x": {"longest": 3}})
    add(host, "LONG", run=["sh", "-c", 'printf %s "${#1}"', "sh", "{x}"], arguments={"x": {"longest": "64KB"}})
    session = host.user()
    assert ask(host, "RUN abcd", session) == ["ERROR: Argument x: abcd is longer than 3 bytes."]
    program = host.program(3, "p")
    pushed = answered(host, program, host.call(program, "LONG", "a" * 65536))
    assert pushed == b">2\r\n$6\r\nstream\r\n$5\r\n65536\r\n+OK\r\n"


def test_a_dash_can_be_allowed(host: Host) -> None:
    """Where the declaration says so."""
    add(host, run=[*SHOW, "{x}"], arguments={"x": {"dash": True, "type": "int"}})
    assert ask(host, "RUN -5") == ["<-5>"]


def test_a_pattern_holds_for_the_whole(host: Host) -> None:
    """A part that matches is not enough."""
    add(host, run=[*SHOW, "{x}"], arguments={"x": {"pattern": "[a-z]+"}})
    session = host.user()
    assert ask(host, "RUN ab1", session) == ["ERROR: Argument x: ab1 does not match [a-z]+."]
    assert ask(host, "RUN ab", session) == ["<ab>"]


def test_it_sees_what_is_allowed_of_the_environment(host: Host) -> None:
    """A list, what the declaration sets, and on whose behalf it runs; nothing else of the server's."""
    add(host, run=["env"], environment={"A": "1"}, inherit=["HOME"])
    lines = ask(host, "RUN")
    assert {"HOME=/home/x", "A=1", "SECURE_SERVER_PRINCIPAL=ada"} < set(lines)
    assert {line.partition("=")[0] for line in lines} == {"HOME", "A", "PATH", "SECURE_SERVER_PRINCIPAL"}


def test_it_runs_where_it_should(host: Host, tmp_path: Path) -> None:
    """The working directory is the declaration's."""
    add(host, run=["pwd"], directory=str(tmp_path))
    assert ask(host, "RUN") == [str(tmp_path)]


def test_an_exit_code_is_an_error_after_the_output(host: Host) -> None:
    """Unless the declaration says that it is none."""
    add(host, run=["sh", "-c", "echo a; echo b >&2; exit 3"])
    add(host, "FINE", run=["sh", "-c", "echo a; exit 3"], exit_codes=[0, 3])
    add(host, "KILLED", run=["sh", "-c", "kill -9 $$"], summary="x")
    add(host, "REAL-TIME", run=["sh", "-c", "kill -40 $$"])
    session = host.user()
    assert ask(host, "RUN", session) == ["a", "b", "ERROR: RUN ended with exit code 3."]
    assert ask(host, "FINE", session) == ["a"]
    assert ask(host, "KILLED", session) == ["ERROR: KILLED was ended by the signal SIGKILL."]
    assert ask(host, "REAL-TIME", session) == ["ERROR: REAL-TIME was ended by the signal 40."]


def test_each_line_is_a_push(host: Host) -> None:
    """On RESP3 as bytes, whatever they are; blank lines and bytes that are not UTF-8 included. RESP2 gets an array."""
    add(host, run=["printf", r"a\n\n\377\nb"])
    program = host.program(3, "p")
    pushes = b"".join(b">2\r\n$6\r\nstream\r\n$%d\r\n%s\r\n" % (len(line), line) for line in (b"a", b"", b"\xff", b"b"))
    assert answered(host, program, host.call(program, "RUN")) == pushes + b"+OK\r\n"
    old = host.program(2, "q")
    assert answered(host, old, host.call(old, "RUN")) == b"*4\r\n$1\r\na\r\n$0\r\n\r\n$1\r\n\xff\r\n$1\r\nb\r\n"
    assert ask(host, "RUN") == ["a", "", "\\xff", "b"]


def test_too_much_output_ends_it(host: Host) -> None:
    """With an error that says so, after what fitted."""
    add(host, run=["yes"], max_output="1KB")
    *lines, last = ask(host, "RUN")
    assert last == "ERROR: RUN wrote more than 1KB and was ended."
    assert len(lines) == 512


def test_what_cannot_be_started_is_said(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """The peer learns that, the log why."""
    add(host, run=["no-such-program"])
    add(host, "NOWHERE", run=["true"], directory="/no/such/directory")
    session = host.user()
    with caplog.at_level(logging.ERROR):
        assert ask(host, "RUN", session) == ["ERROR: RUN cannot be run here; the server's log says why."]
        assert ask(host, "NOWHERE", session) == ["ERROR: NOWHERE cannot be run here; the server's log says why."]
    assert "RUN cannot be run: [Errno 2] No such file or directory: 'no-such-program'" in caplog.text
    assert "/no/such/directory" in caplog.text


@pytest.mark.parametrize("script", ["sleep 100", "exec >&- 2>&-; sleep 100", "while :; do echo; done"])
@pytest.mark.parametrize("code", [ErrorCode.CANCELLED, ErrorCode.TIMEOUT])
def test_cancel_and_timeout_end_it_at_once(
    host: Host, script: str, code: ErrorCode, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever its worker waits for: output, the end, or a peer that does not read."""
    add(host, run=["sh", "-c", f"echo started; {script}"])
    session = host.user()
    host.send(session, b"RUN\n")
    host.turn()
    assert taken(session).startswith(b"started\n")
    started = time.monotonic()
    assert session.cancel(code)
    lines = answered(host, session, b"").decode().splitlines()
    assert time.monotonic() - started < 30, "it sleeps a hundred"
    assert lines[-2].startswith(f"ERROR: {code} ")
    assert lines[-1] == "."
    assert not caplog.text, "nothing went wrong"


def test_cancelled_before_it_starts(host: Host) -> None:
    """A command that waited for a worker too long ends as soon as it begins."""
    call = host.user().begin()
    call.cancel(ErrorCode.CANCELLED)
    woken = []
    with call.on_cancel(lambda: woken.append(True)):
        assert woken == [True]
    call.cancel(ErrorCode.TIMEOUT)
    assert woken == [True]
    assert call.ended_by is ErrorCode.CANCELLED


def test_the_role_holds(host: Host) -> None:
    """As for every command."""
    add(host, run=["true"], role="operator")
    assert ask(host, "RUN")[0].startswith("ERROR: NOPERM RUN needs the role operator")
    assert ask(host, "RUN", host.user("op", Role.OPERATOR)) == []


def test_help_explains_the_arguments(host: Host) -> None:
    """Type, bounds, pattern and default stand beside the summary."""
    arguments = {
        "lines": {"type": "int", "minimum": 1, "maximum": 99, "default": 10, "summary": "how many"},
        "name": {"pattern": "[a-z]+", "optional": True},
        "share": {"type": "float", "minimum": 0, "optional": True},
        "plain": {"optional": True},
    }
    add(host, run=["x", "{lines}", "{name}", "{share}", "{plain}"], arguments=arguments, summary="Do it.")
    assert ask(host, "HELP RUN")[:5] == [
        "RUN [lines] [name] [share] [plain]",
        "Do it.",
        "  lines: how many (int, 1…99, default: 10)",
        "  name: ([a-z]+)",
        "  share: (float, 0…)",
    ]
