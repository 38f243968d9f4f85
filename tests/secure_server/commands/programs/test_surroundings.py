"""What a declared program is started with: standard input, environment, and what it keeps of the server's rights."""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from secure_protocol.errors import CommandError
from secure_server.audit.record import Withheld
from secure_server.commands.command import Command
from secure_server.commands.context import Context
from secure_server.commands.programs import surroundings
from secure_server.commands.programs.declaration import DeclarationError
from secure_server.commands.programs.program import declare
from secure_server.commands.programs.surroundings import VALUE_BYTES
from tests.secure_server.commands.programs.test_program import add, answered, ask
from tests.secure_server.host import Host

if sys.platform == "win32":
    pytest.skip("programs are run on POSIX systems only", allow_module_level=True)

HUNTER = "hunter2"
ARGV_IS_PUBLIC = (
    ".run: {x} is secret, and whoever is on this machine can read what programs are started with; give it by stdin or "
    "environment."
)
NUMBERS = itertools.count()
SECRET = {"password": {"secret": True}}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may start a program as somebody else")


def declared(**table: object) -> Command:
    """A command."""
    return declare("RUN", {"run": ["cat"], **table}, {"PATH": "/usr/bin:/bin"})


def told(host: Host, *words: str | bytes) -> bytes:
    """All that a program is answered, whose bytes may be any."""
    session = host.program(3, f"p{next(NUMBERS)}")
    return answered(host, session, host.call(session, *words))


# Standard input


@pytest.mark.parametrize(
    "body", [b"", b"a\0b\xff\xfe\x1b{body}\n-", bytes(range(256)) * 1500], ids=["none", "any", "long"]
)
def test_an_argument_goes_to_standard_input_as_it_came(host: Host, body: bytes) -> None:
    """Bytes of any kind, as many as the server takes; placeholders in it are none."""
    add(host, run=["sha256sum"], stdin="{body}", arguments={"body": {}})
    assert hashlib.sha256(body).hexdigest().encode() in told(host, "RUN", body)


def test_its_length_and_pattern_hold_all_the_same(host: Host) -> None:
    """Where they are declared."""
    add(host, run=["cat"], stdin="{body}", arguments={"body": {"longest": "1MB", "pattern": "[a-z]+"}})
    assert b"hello" in told(host, "RUN", "hello")
    assert b"does not match" in told(host, "RUN", b"\xff")
    add(host, "SHORT", run=["cat"], stdin="{body}", arguments={"body": {"longest": 3}})
    assert b"is longer than 3 bytes" in told(host, "SHORT", "abcd")


def test_what_is_left_out_is_an_empty_input(host: Host) -> None:
    """Or the default."""
    add(host, run=["wc", "-c"], stdin="{body}", arguments={"body": {"optional": True}})
    add(host, "ELSE", run=["cat"], stdin="{body}", arguments={"body": {"default": "none given"}})
    session = host.user()
    assert ask(host, "RUN", session) == ["0"]
    assert ask(host, "ELSE", session) == ["none given"]
    assert ask(host, "ELSE x", session) == ["x"]


def test_input_may_be_a_text_of_several_arguments(host: Host) -> None:
    """As `chpasswd` has it. They are words then, so that nobody adds a line of his own; a dash harms nobody there."""
    arguments = {"user": {}, "password": {"secret": True}}
    add(host, run=["cat"], stdin="{user}:{password}\n{{user}}", arguments=arguments)
    session = host.user()
    assert ask(host, "RUN ada -{user}", session) == ["ada:-{user}", "{user}"]
    assert ask(host, r'RUN "a\nroot:x" y', session) == [r"ERROR: Argument user: a\x0aroot:x holds a control character."]
    assert ask(host, r'RUN ada "y\nroot:x"', session) == ["ERROR: Argument password: *** holds a control character."]


@pytest.mark.parametrize("elsewhere", [{"run": ["sh", "-c", "cat; echo $0", "{x}"]}, {"environment": {"X": "{x}"}}])
def test_what_is_input_and_something_else_is_a_word(host: Host, elsewhere: dict[str, object]) -> None:
    """Checked as any other: bytes of any kind go to standard input alone."""
    table: dict[str, Any] = {"run": ["sh", "-c", 'cat; echo "$X"'], **elsewhere}
    add(host, stdin="{x}", arguments={"x": {}}, **table)
    session = host.user()
    assert ask(host, "RUN both", session) == ["bothboth"]
    assert ask(host, r'RUN "a\nb"', session) == [r"ERROR: Argument x: a\x0ab holds a control character."]


def test_the_catalogue_says_what_it_takes() -> None:
    """Data, a file where that is said, a secret where it is one."""
    command = declared(stdin="{body}", arguments={"body": {"file": True}}).describe(str)
    (body,) = command.arguments
    assert (body.type, body.file, body.secret) == ("bytes", True, False)
    (key,) = declared(stdin="{key}", arguments={"key": {"secret": True, "file": True}}).describe(str).arguments
    assert (key.type, key.file, key.secret) == ("bytes", True, True)


def test_data_are_recorded_by_size_and_hash_and_a_secret_not_at_all() -> None:
    """Also the data of standard input that is secret."""
    plain = declared(run=["cat", "{name}"], stdin="{body}", arguments={"name": {}, "body": {}})
    assert plain.shown([b"x", b"data"]) == [b"x", Withheld.of(b"data")]
    secret = declared(run=["cat", "{name}"], stdin="{body}", arguments={"name": {}, "body": {"secret": True}})
    assert secret.shown([b"x", b"data"]) == [b"x", Withheld()]


# Environment


def test_a_variable_may_hold_arguments(host: Host) -> None:
    """Nothing in an argument is looked at again, and `{{name}}` means `{name}`."""
    environment = {"A": "<{a}|{b}|{{a}}|{}>", "FIXED": "{{b}}", "LEFT": "{c}"}
    arguments = {"a": {}, "b": {}, "c": {"optional": True}}
    add(host, run=["env"], environment=environment, arguments=arguments, inherit=[])
    lines = ask(host, "RUN {b} {a}{{a}}")
    assert {"A=<{b}|{a}{{a}}|{a}|{}>", "FIXED={b}"} <= set(lines)
    assert not [line for line in lines if line.startswith("LEFT")]
    assert "LEFT=-x" in ask(host, "RUN a b -x", host.user("b"))


def test_a_secret_reaches_the_program_and_nobody_else(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """Not its argv, which everybody can read; its environment its own user can."""
    script = (
        "tr '\\0' '\\n' </proc/$$/cmdline; tr '\\0' '\\n' </proc/$$/environ; cat /proc/$PPID/cmdline | tr '\\0' '\\n'"
    )
    environment = {"PASSWORD": "{password}"}
    with caplog.at_level(logging.DEBUG):
        add(host, run=["sh", "-c", script], environment=environment, arguments=SECRET)
        add(host, "LAUNCHED", run=["sh", "-c", script], environment=environment, arguments=SECRET, nice=1)
        session = host.user()
        for name in ("RUN", "LAUNCHED"):
            lines = ask(host, f"{name} {HUNTER}{{password}}", session)
            assert [line for line in lines if HUNTER in line] == [f"PASSWORD={HUNTER}{{password}}"]
    assert HUNTER not in caplog.text


def test_a_variable_may_come_from_a_file(host: Host, tmp_path: Path) -> None:
    """Read anew for each run, so that a secret can be changed; the end of its last line is no part of it."""
    file = tmp_path / "token"
    file.write_bytes(b"{one}\nline\r\n")
    add(host, run=["sh", "-c", 'printf %s "$TOKEN" | od -c -An'], environment={"TOKEN": {"file": str(file)}})
    session = host.user()
    assert "".join(ask(host, "RUN", session)).replace(" ", "") == r"{one}\nline"
    file.write_bytes(b"\xfftwo\n\n")
    assert "".join(ask(host, "RUN", session)).replace(" ", "") == r"377two\n"


def trouble(kind: str, file: Path) -> None:
    """Make a file that cannot be a variable."""
    if kind == "link":
        file.symlink_to("/etc/hostname")
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "directory":
        file.mkdir()
    elif kind != "missing":
        file.write_bytes(b"x" * (VALUE_BYTES + 1) if kind == "long" else b"a\0b")


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("missing", "No such file or directory"),
        ("link", "is a link, or no plain file"),
        ("pipe", "is a link, or no plain file"),
        ("directory", "Is a directory"),
        ("long", "is longer than 64KB"),
        ("NUL", "holds a NUL"),
    ],
)
def test_a_file_that_cannot_be_a_variable_is_named_in_the_log(
    host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, why: str
) -> None:
    """At the start, which goes on, and when it is needed; the peer learns no name of it. Nothing is executed."""
    file = tmp_path / "token"
    trouble(kind, file)
    add(host, run=["touch", str(tmp_path / "ran")], environment={"TOKEN": {"file": str(file)}})
    assert why in caplog.text
    assert "the command will fail" in caplog.text
    caplog.clear()
    assert ask(host, "RUN") == ["ERROR: RUN cannot be run here; the server's log says why."]
    assert why in caplog.text
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "DYLD_INSERT_LIBRARIES",
        "BASH_ENV",
        "ENV",
        "IFS",
        "PS4",
        "SHELLOPTS",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "NODE_OPTIONS",
        "PERL5LIB",
        "PERL5OPT",
        "RUBYOPT",
        "JAVA_TOOL_OPTIONS",
        "_JAVA_OPTIONS",
        "GIT_SSH_COMMAND",
        "GIT_CONFIG_COUNT",
        "HOME",
        "EDITOR",
        "PAGER",
        "LESSOPEN",
        "GCONV_PATH",
        "SECURE_SERVER_PRINCIPAL",
    ],
)
def test_no_argument_tells_a_program_what_to_run(name: str) -> None:
    """The configuration itself may."""
    declared(environment={name: "/opt/{{x}}"})
    with pytest.raises(DeclarationError, match=rf"commands\.RUN\.environment\.{name}: it tells programs what to run"):
        declared(environment={name: "/opt/{x}"}, arguments={"x": {}})


# Rights


@as_root
def test_it_runs_as_who_it_is_declared_to(host: Host, tmp_path: Path) -> None:
    """Its home and name are that user's, too; what it writes nobody else may read."""
    import pwd  # noqa: PLC0415 - POSIX has it alone

    tmp_path.chmod(0o777)
    script = "id -un; id -Gn; echo $HOME $USER $LOGNAME; umask; nice; ulimit -Sn; echo x > made"
    limits = {"cpu": "5s", "memory": "512MB", "files": 30}
    add(
        host,
        run=["sh", "-c", script],
        run_as="nobody",
        umask="077",
        nice=2,
        limits=limits,
        directory=str(tmp_path),
        environment={"LOGNAME": "other"},
    )
    before = os.nice(0)
    lines = ask(host, "RUN")
    assert lines[0] == "nobody"
    assert lines[2:] == [f"{pwd.getpwnam('nobody').pw_dir} nobody other", "0077", str(before + 2), "30"]
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o600


def test_a_limit_ends_what_takes_too_much(host: Host) -> None:
    """Processor time, or memory."""
    add(host, run=["sh", "-c", "while :; do :; done"], limits={"cpu": 1})
    add(host, "MEMORY", run=["sh", "-c", "x=x; while :; do x=$x$x; done"], limits={"memory": "64MB"})
    session = host.user()
    assert ask(host, "RUN", session)[-1] == "ERROR: RUN was ended by the signal SIGXCPU."
    assert "ERROR" in ask(host, "MEMORY", session)[-1]


def test_a_program_that_is_not_there_is_told_by_the_launcher_as_without(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has why, the peer has not."""
    add(host, run=["/nowhere/program"], nice=1)
    assert ask(host, "RUN") == ["ERROR: RUN cannot be run here; the server's log says why."]
    assert "RUN cannot be run: [Errno 2] No such file or directory: '/nowhere/program'" in caplog.text


def test_what_a_server_that_is_not_root_cannot_do_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than the first run."""
    monkeypatch.setattr(surroundings, "_uid", lambda: 12345)
    with pytest.raises(
        DeclarationError, match=r"\.run_as: the server runs as \S+, and only root may start a program as"
    ):
        declared(run_as="nobody")
    with pytest.raises(DeclarationError, match=r"\.nice: only a server that root runs makes a program less nice"):
        declared(nice=-1)
    monkeypatch.undo()
    import pwd  # noqa: PLC0415 - POSIX has it alone

    declared(run_as=pwd.getpwuid(os.geteuid()).pw_name)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"stdin": "{x}"}, ".stdin: {x} is not declared; add arguments.x."),
        ({"environment": {"A": "{x}"}}, ".environment.A: {x} is not declared; add arguments.x."),
        ({"arguments": {"x": {}}}, ".arguments.x: nothing uses it; write {x} in run, stdin or environment."),
        (
            {"run": ["cat", "-p{x}"], "arguments": {"x": {"secret": True}}},
            ARGV_IS_PUBLIC,
        ),
        (
            {"run": ["cat", "{x}"], "stdin": "{x}", "arguments": {"x": {"secret": True}}},
            ARGV_IS_PUBLIC,
        ),
        (
            {"stdin": "{x}", "arguments": {"x": {"secret": True, "default": "y"}}},
            ".arguments.x: a secret has neither choices nor a default; clients are told those.",
        ),
        (
            {"stdin": "{x}", "arguments": {"x": {"variadic": True}}},
            ".stdin: {x} takes several arguments, so it belongs to run.",
        ),
        ({"stdin": "a\0"}, ".stdin: expected text without control characters."),
        ({"environment": {"A": "a\0"}}, ".environment.A: expected at most 64KB without a NUL."),
        ({"environment": {"A": 5}}, ".environment.A: expected a table, found a whole number."),
        ({"environment": {"A": {"file": "x"}}}, ".environment.A.file: x is relative; write the whole path."),
        ({"environment": {"A": {}}}, ".environment.A: file is missing."),
        ({"environment": {"A": {"path": "/x"}}}, ".environment.A: unknown key path; allowed are file."),
        ({"run_as": "nobody-at-all"}, ".run_as: there is no user 'nobody-at-all'; make it, or name another."),
        ({"umask": "9"}, ".umask: expected three octal digits such as \"027\", found '9'."),
        ({"nice": 20}, ".nice: expected -20 to 19, found 20."),
        ({"limits": {"cpu": "0s"}}, ".limits.cpu: expected 1s to 7d, found 0s."),
        ({"limits": {"memory": 512}}, ".limits.memory: expected at least 1MB, found 512B."),
        ({"limits": {"files": 2}}, ".limits.files: expected 3 to 1048576, found 2."),
        ({"limits": {"time": 2}}, ".limits: unknown key time; allowed are cpu, files, memory."),
        ({"limits": 5}, ".limits: expected a table, found a whole number."),
    ],
)
def test_what_cannot_be_is_said_at_the_start(table: dict[str, object], sentence: str) -> None:
    """One sentence: which key, what is there, what to write."""
    with pytest.raises(DeclarationError) as caught:
        declared(**table)
    assert str(caught.value) == f"commands.RUN{sentence}"


def test_who_asked_to_know_the_process_first_is_told(host: Host, tmp_path: Path) -> None:
    """A job's record is on disk before its program begins; where that fails, nothing is executed."""
    marker = tmp_path / "marker"
    program: Any = declare("RUN", {"run": ["touch", str(marker)]}, {"PATH": "/usr/bin:/bin"}).handler
    seen: list[int] = []

    def run(context: Context, *, fails: bool) -> str:
        def before(pid: int) -> None:
            seen.append(pid)
            assert not marker.exists()
            if fails:
                raise CommandError("The disk is full.")

        context.before_program = before
        list(program(context))
        return "done"

    host.command("FAILS", lambda context: run(context, fails=True))
    host.command("RUNS", lambda context: run(context, fails=False))
    session = host.user()
    assert host.ask(session, "FAILS").strip() == "ERROR: The disk is full."
    assert not marker.exists()
    assert "done" in host.ask(session, "RUNS")
    assert marker.exists()
    assert len(seen) == 2
