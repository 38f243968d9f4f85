"""The real program, `python -m secure_client`, without a terminal: output, errors, exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from secure_client.cli import main as cli
from secure_client.terminal.batch import MOST_LINE_BYTES
from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.replies import Push
from secure_protocol.token import Token
from tests.secure_client.certificates import Authority
from tests.secure_client.scripted_server import PATIENCE, Peer, ScriptedServer

Result = subprocess.CompletedProcess[str]
ROOT = Path(__file__).resolve().parents[3]


class Program:
    """Runs the program in a directory of its own."""

    def __init__(self, directory: Path, server: ScriptedServer, authority: Authority, token: Token) -> None:
        self.directory = directory
        self.target = (f"localhost:{server.port}", "--ca", str(authority.ca))
        self.environment = {name: value for name, value in os.environ.items() if name not in ("LANG", "LC_ALL")} | {
            "SECURE_CLIENT_HOME": str(directory / "home"),
            "SECURE_CLIENT_TOKEN": token.reveal(),
            "PYTHONPATH": str(ROOT),
            "TZ": "UTC",
        }

    def argv(self, *arguments: str) -> list[str]:
        """The whole command line."""
        return [sys.executable, "-m", "secure_client", *arguments]

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> Result:
        """Run with exactly these arguments."""
        return subprocess.run(
            self.argv(*arguments),
            input=stdin,
            cwd=self.directory,
            env=self.environment | environment,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE * 2,
            check=False,
        )

    def here(self, *arguments: str, stdin: str = "", **environment: str) -> Result:
        """Run against the server."""
        return self.run(*self.target, *arguments, stdin=stdin, **environment)

    def bytes_of(self, *arguments: str) -> bytes:
        """Run against the server; return what it writes."""
        return subprocess.run(
            self.argv(*self.target, *arguments),
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE * 2,
            check=True,
        ).stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Run against the server, with pipes."""
        return subprocess.Popen(
            self.argv(*self.target, *arguments),
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )


@pytest.fixture
def program(tmp_path: Path, server: ScriptedServer, authority: Authority, token: Token) -> Program:
    """The program and its server."""
    return Program(tmp_path, server, authority, token)


@pytest.fixture
def conversation(program: Program) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a program that is talked to; it is killed at the end if it still runs."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        started.append(program.start(*arguments))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_commands_of_the_command_line(program: Program) -> None:
    """Answers on stdout in the server's wording, one after the other; exit code 0."""
    done = program.here("-c", "ECHO hello", "-c", "TIME", "-c", "CLIENTS")
    assert done.stdout.splitlines() == [
        "ECHO: hello",
        "2023-11-14T22:13:20+00:00",
        "id  name",
        "1   secure-client",
        "99  quick\\x1b[31mstart",
    ]
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_mistake_does_not_repeat_a_token(token: Token, capsys: pytest.CaptureFixture[str]) -> None:
    """In an option, in a place too many, for a profile's name: of what was typed there, the public id alone."""
    written = token.reveal()
    for words in (["--token-file", written, "localhost:1"], ["localhost:1", written], ["profile", "remove", written]):
        assert cli.dispatch(words) != 0
        shown = capsys.readouterr().err
        assert f"scs_{token.id}_…" in shown
        assert token.secret[:4] not in shown


def test_a_failed_command_is_told_on_stderr(program: Program) -> None:
    """Exit code 1; the others run. An open quote is a failed command too; EXIT ends."""
    done = program.here("-c", "NONSENSE", "-c", 'ECHO "', "-c", "", "-c", "ECHO x", "-c", "EXIT", "-c", "ECHO y")
    assert done.stdout.splitlines() == ["ECHO: x", "Goodbye."]
    assert done.stderr.splitlines()[0] == "ERROR: Unknown command."
    assert "quote" in done.stderr
    assert done.returncode == 1


def test_json_is_one_value_per_command(program: Program) -> None:
    """For programs; a failure is a value too, and its sentence stands on stderr as well."""
    done = program.here("--json", "-c", "TIME", "-c", "DENIED")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"command": "TIME", "ok": True, "reply": "2023-11-14T22:13:20+00:00"},
        {"command": "DENIED", "ok": False, "code": "NOPERM", "error": "You may not run that."},
    ]
    assert done.returncode == 1


def test_commands_from_stdin(program: Program) -> None:
    """Blank lines and comments are passed over, an error names its line, the rest runs; EXIT ends."""
    done = program.here(stdin='ECHO "a  b"\n\n# no\n  NONSENSE\nECHO "x\nECHO olá\r\nEXIT\nCOUNT\n')
    assert done.stdout.splitlines() == ["ECHO: a  b", "ECHO: olá", "Goodbye."]
    assert done.stderr.splitlines()[0] == "line 4: ERROR: Unknown command."
    assert done.stderr.splitlines()[1].startswith("line 5: A quote")
    assert done.returncode == 1


def test_the_end_of_a_line_that_is_too_long_is_no_command(program: Program) -> None:
    """Whoever wrote data into a line, long enough, would choose what runs next."""
    data = "ECHO " + "x" * (MOST_LINE_BYTES - 4)
    done = program.here("--json", stdin=f"{data}COUNT\n# {data}COUNT\nPING\n{data}COUNT")
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert [reply.get("code", reply.get("reply")) for reply in replies] == ["TOOLONG", "PONG", "TOOLONG"]
    assert (
        done.stderr.splitlines()[0]
        == f"line 1: The line is longer than {MOST_LINE_BYTES} bytes; nothing of it was sent."
    )
    assert done.returncode == 1


def test_nothing_on_stdin_is_nothing_to_do(program: Program) -> None:
    """As from /dev/null; it connected, so 0."""
    done = program.here()
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_each_answer_is_flushed(conversation: Callable[..., subprocess.Popen[str]]) -> None:
    """Another program pipes one command at a time and reads its answer before it sends the next."""
    process = conversation()
    assert process.stdin is not None
    assert process.stdout is not None
    for number in range(3):
        process.stdin.write(f"ECHO {number}\n")
        process.stdin.flush()
        assert process.stdout.readline() == f"ECHO: {number}\n"
    process.stdin.write("QUIT\n")
    process.stdin.flush()
    assert process.stdout.readline() == "OK\n"
    assert process.wait(PATIENCE) == 0


def test_a_lost_connection_ends_a_batch(program: Program, server: ScriptedServer) -> None:
    """Exit code 3, the line's number, and the warning that the command may have run; nothing is sent again."""

    def run_and_cut(peer: Peer, _arguments: list[str]) -> object:
        server.count += 1
        peer.cut()
        return None

    server.handlers["COUNT"] = run_and_cut
    done = program.here(stdin="ECHO x\nCOUNT\nECHO y\n")
    assert done.stdout == "ECHO: x\n"
    assert done.stderr.startswith("line 2: The connection to localhost")
    assert "may have run" in done.stderr
    assert done.returncode == 3
    assert server.count == 1
    done = program.here("--json", "-c", "COUNT", "-c", "ECHO y")
    assert json.loads(done.stdout)["code"] == "LOST"
    assert done.returncode == 3


def test_a_token_revoked_in_between(program: Program, server: ScriptedServer) -> None:
    """Its own exit code: not lost, but not authenticated any more."""
    server.handlers["REVOKE"] = lambda _peer, _arguments: server.close_all("revoked")
    done = program.here("-c", "REVOKE")
    assert done.returncode == 4


def test_three_different_messages(program: Program, server: ScriptedServer) -> None:
    """A refused token, a revoked token and an unreachable server."""
    refused = program.here("-c", "ECHO", SECURE_CLIENT_TOKEN=Token.generate().reveal())
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "The token was refused by localhost" in refused.stderr
    server.handlers["REVOKE"] = lambda _peer, _arguments: server.close_all("revoked")
    revoked = program.here(stdin="REVOKE\n")
    assert revoked.returncode == 4
    assert "Your access was revoked" in revoked.stderr
    server.stop()
    unreachable = program.here("-c", "ECHO")
    assert unreachable.returncode == 3
    assert "Cannot reach localhost" in unreachable.stderr
    assert "Is the server running" in unreachable.stderr


def test_a_wait_that_the_server_asks_for_is_told(program: Program, server: ScriptedServer) -> None:
    """Before it begins, not after: nobody sits before an empty terminal."""
    greet = server._greet

    def busy_once(*arguments: object) -> bool:
        server._greet = greet  # type: ignore[method-assign]
        arguments[0].socket.sendall(b"-THROTTLED Busy. retry-after=0\r\n")  # type: ignore[attr-defined]
        return False

    server._greet = busy_once  # type: ignore[assignment]
    done = program.here("-c", "ECHO x")
    assert (done.returncode, done.stdout) == (0, "ECHO: x\n"), done.stderr
    assert "THROTTLED: Busy" in done.stderr
    assert done.stderr.endswith(" Waiting; Ctrl-C ends it.\n")


def test_other_ways_to_fail(program: Program, tmp_path: Path) -> None:
    """Usage 2, no token or a mistyped one 4, a certificate that proves nothing 3; never a traceback."""
    typo = Token.generate().reveal()[:-1]
    for expected, done in (
        (2, program.run("--nonsense")),
        (2, program.run("a b", "-c", "ECHO")),
        (2, program.run("localhost", "--ca", "none.pem", "-c", "ECHO")),
        (2, program.run("profile")),
        (2, program.run("profile", "add", "x", "a:b")),
        (2, program.run("profile", "remove", "x")),
        (3, program.run(program.target[0], "-c", "ECHO")),
        (4, program.here("-c", "ECHO", SECURE_CLIENT_TOKEN="")),
        (4, program.here("-c", "ECHO", SECURE_CLIENT_TOKEN=typo)),
        (4, program.here("--token-file", "none", "-c", "ECHO")),
    ):
        assert done.returncode == expected, done
        assert done.stdout == ""
        assert done.stderr
        assert "Traceback" not in done.stderr
        assert typo not in done.stderr


def test_profiles_are_added_listed_used_and_removed(program: Program, authority: Authority, token_file: Path) -> None:
    """And paths in them are good from every directory."""
    ca = os.path.relpath(authority.ca, program.directory)
    added = program.run("profile", "add", "quickstart", program.target[0], "--ca", ca, "--token-file", str(token_file))
    assert (added.returncode, added.stdout) == (0, "")
    assert "secure-client quickstart" in added.stderr
    program.directory = program.directory / "home"
    for arguments in ((), ("quickstart",)):
        used = program.run(*arguments, "-c", "ECHO x", SECURE_CLIENT_TOKEN="")
        assert (used.stdout, used.returncode) == ("ECHO: x\n", 0)
    listed = program.run("profile", "list")
    assert listed.stdout.splitlines()[1].split() == [
        "quickstart",
        program.target[0],
        str(authority.ca),
        str(token_file),
    ]
    assert program.run("profile", "remove", "quickstart").returncode == 0
    assert "No profiles" in program.run("profile", "list").stderr


def test_profiles_of_somebody_elses_are_printable(program: Program) -> None:
    """They may have come with an archive; neither a list of them nor an error has the terminal obey."""
    (program.directory / "home").mkdir(mode=0o700)
    saved = {"evil\x1b[2J": {"endpoint": "unix:/\x1b]0;x\x07", "ca": "\x9b\u202e"}}
    (program.directory / "home" / "profiles.json").write_text(json.dumps(saved))
    listed, failed = program.run("profile", "list"), program.run("evil\x1b[2J", "-c", "PING")
    assert (listed.returncode, failed.returncode) == (0, 3)
    assert r"evil\x1b[2J" in listed.stdout
    assert (listed.stdout + listed.stderr + failed.stderr).replace("\n", "").isprintable()


def test_a_profile_is_replaced_only_if_that_is_meant(program: Program, token: Token) -> None:
    """Before a token is asked for; nothing is changed otherwise."""
    add = ("profile", "add", "web")
    assert program.run(*add, "web.example:1", "--save-token", stdin=token.reveal()).returncode == 0
    refused = program.run(*add, "other.example:2", "--save-token", stdin="scs_typo")
    assert (refused.returncode, "There is a profile `web` already" in refused.stderr) == (2, True), refused.stderr
    assert "--force" in refused.stderr
    assert program.run("profile", "list").stdout.split()[-5:] == ["web", "web.example:1", "-", "saved", "here"]
    assert program.run(*add, "other.example:2", "--force").returncode == 0
    assert "other.example:2" in program.run("profile", "list").stdout


def test_a_token_kept_in_a_profile(program: Program, token: Token) -> None:
    """Read from stdin, checked before it is saved, never shown."""
    add = ("profile", "add", "p", *program.target)
    assert program.run(*add, "--save-token", stdin="scs_typo\n").returncode == 4
    assert program.run(*add, "--save-token", "--token-file", "x").returncode == 2
    assert program.run(*add, "--save-token", stdin=f"{token.reveal()}\n").returncode == 0
    assert token.secret not in program.run("profile", "list").stdout
    assert program.run("p", "-c", "ECHO x", SECURE_CLIENT_TOKEN="").stdout == "ECHO: x\n"


def test_the_locale_chooses_the_language(program: Program, server: ScriptedServer) -> None:
    """Asked for once, after authentication."""
    program.here("-c", "ECHO", LC_ALL="pt_BR.UTF-8")
    assert server.language == "pt_BR"


def test_a_reader_that_has_had_enough(conversation: Callable[..., subprocess.Popen[str]]) -> None:
    """`secure-client … | head -1` ends quietly."""
    process = conversation(*(["-c", "ECHO x"] * 3))
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(PATIENCE) == 0
    assert process.stderr.read() == ""


def test_ctrl_c_ends_a_batch(conversation: Callable[..., subprocess.Popen[str]], server: ScriptedServer) -> None:
    """With the shell's own exit code, and no traceback."""
    process = conversation()
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write("ECHO x\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ECHO: x\n"
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.send_signal(signal.SIGINT)
        process.wait(2)
    if process.poll() is None:  # it came between Python's last look at signals and the reading, which it then waits out
        process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    assert process.stderr.read().strip() == ""


def tail(peer: Peer, _arguments: list[str]) -> Generator[object, None, object]:
    """Two lines, one of them wicked, and then nothing until it is ended."""
    yield "one"
    yield "two\x1b[2J"
    return peer.wait_for_cancel()


def test_a_streamed_answer_in_a_pipe(program: Program, server: ScriptedServer) -> None:
    """A line a part, without control characters; the OK in the end is no line of it, a last word is. No progress."""

    def work(_peer: Peer, arguments: list[str]) -> Generator[object, None, object]:
        yield "one\x1b[2J"
        yield Push("progress", (0.5, "half"))
        yield ["two", {"three": 3}]
        return arguments[0] if arguments else None

    server.handlers["WORK"] = work
    done = program.here("-c", "WORK", "-c", "WORK last")
    assert done.stdout.splitlines() == ["one\\x1b[2J", "two", "three: 3", "one\\x1b[2J", "two", "three: 3", "last"]
    assert (done.stderr, done.returncode) == ("", 0)
    done = program.here("--json", stdin="WORK\n")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"command": "WORK", "part": "one\x1b[2J"},
        {"command": "WORK", "part": ["two", {"three": 3}]},
        {"command": "WORK", "ok": True, "reply": "OK"},
    ]


@pytest.mark.parametrize("batch", [False, True], ids=["-c", "stdin"])
def test_ctrl_c_has_the_server_end_the_command(
    conversation: Callable[..., subprocess.Popen[str]],
    server: ScriptedServer,
    batch: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Parts were seen as they came; then CANCEL, the server's word for it, 130, and nothing else is run."""
    server.handlers["TAIL"] = tail
    process = conversation(*(() if batch else ("-c", "TAIL", "-c", "COUNT")))
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    if batch:
        process.stdin.write("TAIL\nCOUNT\n")
        process.stdin.flush()
    assert [process.stdout.readline(), process.stdout.readline()] == ["one\n", "two\\x1b[2J\n"]
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    assert process.stderr.read() == ("line 1: " if batch else "") + "ERROR: CANCELLED The command was cancelled.\n"
    assert process.stdout.read() == ""
    assert server.names().count("CANCEL") == 1
    assert server.count == 0


def test_a_second_ctrl_c_stops_waiting(
    conversation: Callable[..., subprocess.Popen[str]], server: ScriptedServer
) -> None:
    """For a server that does not end the command."""
    release = threading.Event()

    def stubborn(peer: Peer, _arguments: list[str]) -> Generator[object, None, object]:
        yield "one"
        peer.wait_for_cancel()
        release.set()
        while peer.read():  # until the client leaves
            pass
        return None

    server.handlers["STUBBORN"] = stubborn
    process = conversation("-c", "STUBBORN", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["part"] == "one"
    process.send_signal(signal.SIGINT)
    assert release.wait(PATIENCE)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    assert process.stderr.read() == "No longer waiting; the command may still run.\n"
    assert json.loads(process.stdout.read())["code"] == "INTERRUPTED"


def test_a_reader_of_a_stream_that_has_had_enough(
    conversation: Callable[..., subprocess.Popen[str]], server: ScriptedServer
) -> None:
    """`secure-client -c TAIL | head -1` ends quietly."""

    def endless(_peer: Peer, _arguments: list[str]) -> Generator[object, None, object]:
        while True:
            yield "x" * 1000

    server.handlers["TAIL"] = endless
    process = conversation("-c", "TAIL")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(PATIENCE) == 0
    assert process.stderr.read() == ""


def careful(server: ScriptedServer) -> None:
    """Give the server commands that are asked about, take a file, or a secret."""
    server.commands += [
        CommandDescription("DEPLOY", arguments=(ArgumentDescription("host"),), confirm="Deploy {host} on {server}?"),
        CommandDescription("WIPE", danger=True),
        CommandDescription("STORE", arguments=(ArgumentDescription("body", "bytes", file=True),)),
        CommandDescription("UNLOCK", arguments=(ArgumentDescription("key", secret=True),), confirm="Unlock?"),
    ]
    for name in ("DEPLOY", "WIPE", "STORE", "UNLOCK"):
        server.handlers[name] = lambda _peer, arguments: f"done {' '.join(arguments)}".strip()


def received(server: ScriptedServer) -> list[list[str]]:
    """What came, but for the question for the commands."""
    return [request for request in server.received if request != ["COMMANDS"]]


def test_without_a_terminal_nothing_is_sent_that_is_asked_about(program: Program, server: ScriptedServer) -> None:
    """A sentence says why and what to do; the others run; exit code 2, whatever else failed. `--yes` has them run."""
    careful(server)
    target = program.target[0]
    done = program.here("-c", "DEPLOY web", "-c", "ECHO x", "-c", "WIPE", "-c", "NONSENSE")
    assert done.stdout == "ECHO: x\n"
    assert done.stderr.splitlines() == [
        f"Deploy web on {target}? There is no terminal to answer on, so nothing was sent; --yes says yes.",
        f"Run WIPE on {target}? There is no terminal to answer on, so nothing was sent; --yes says yes.",
        "ERROR: Unknown command.",
    ]
    assert done.returncode == 2
    assert received(server) == [["ECHO", "x"], ["NONSENSE"]]
    done = program.here("--yes", "-c", "DEPLOY web", "-c", "WIPE")
    assert (done.stdout, done.stderr, done.returncode) == ("done web\ndone\n", "", 0)


def test_a_batch_is_asked_about_likewise(program: Program, server: ScriptedServer) -> None:
    """By the name of the profile, where there is one; the line is named, and standard input is no file of its own."""
    careful(server)
    assert program.run("profile", "add", "work", *program.target).returncode == 0
    done = program.run("work", stdin="DEPLOY web\nECHO x\nSTORE @-\n")
    assert done.stdout == "ECHO: x\n"
    first, second = done.stderr.splitlines()
    assert first.startswith("line 1: Deploy web on work? There is no terminal")
    assert second.startswith("line 3: Argument body: @- cannot be read (the commands come from standard input")
    assert done.returncode == 2
    done = program.run("work", "--yes", stdin="DEPLOY web\n")
    assert (done.stdout, done.returncode) == ("done web\n", 0)


def test_programs_are_told_in_json_without_secrets(program: Program, server: ScriptedServer) -> None:
    """What was not sent has a code of its own; an argument that is a secret is not repeated."""
    careful(server)
    lines = ["-c", "UNLOCK s3cret", "-c", "STORE @gone"]
    done = program.here("--json", *lines)
    first, second = map(json.loads, done.stdout.splitlines())
    assert (first["command"], first["ok"], first["code"]) == ("UNLOCK ***", False, "NOTSENT")
    assert (second["command"], second["ok"], second["code"]) == ("STORE @gone", False, "NOTSENT")
    assert "s3cret" not in done.stdout + done.stderr
    assert done.returncode == 2
    done = program.here("--json", "--yes", *lines[:2])
    assert json.loads(done.stdout) == {"command": "UNLOCK ***", "ok": True, "reply": "done s3cret"}


def test_what_is_built_in_needs_no_look_at_the_commands(program: Program, server: ScriptedServer) -> None:
    """In JSON there is no other use for them; for all others they are asked for once."""
    assert program.here("--json", "-c", "ECHO x", "-c", "ping").returncode == 0
    assert server.received == [["ECHO", "x"], ["ping"]]
    server.received.clear()
    assert program.here("--json", "-c", "COUNT", "-c", "COUNT").returncode == 0
    assert server.received == [["COMMANDS"], ["COUNT"], ["COUNT"]]


def test_a_file_is_sent_in_place_of_its_name(program: Program, server: ScriptedServer) -> None:
    """Also what comes on standard input; not where the argument is none that may be a file."""
    careful(server)
    (program.directory / "body").write_text("from a file", encoding="utf-8")
    done = program.here(
        "-c", "STORE @body", "-c", "STORE @-", "-c", "STORE @@-", "-c", "ECHO @body", stdin="from a pipe"
    )
    assert done.stdout.splitlines() == ["done from a file", "done from a pipe", "done @-", "ECHO: @body"]
    assert (done.stderr, done.returncode) == ("", 0)
    done = program.here("-c", "STORE @gone", "-c", "ECHO x")
    assert done.stdout == "ECHO: x\n"
    assert done.stderr == "Argument body: @gone cannot be read (No such file or directory), so nothing was sent.\n"
    assert done.returncode == 2


def test_help_and_version(program: Program) -> None:
    """Both for the asking, on stdout."""
    assert "profile --help" in program.run("--help").stdout
    assert "add" in program.run("profile", "--help").stdout
    assert program.run("--version").stdout.strip()


def test_start_up_imports_no_terminal_toolkit() -> None:
    """`-c PING` should not wait for what it does not use."""
    code = "import sys, secure_client.cli, secure_client.terminal.oneshot, secure_client.terminal.batch\n"
    code += "print([name for name in ('prompt_toolkit', 'rich', 'cryptography', 'asyncio') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", cwd=ROOT, check=True)
    assert done.stdout == "[]\n"


def test_scripts_choose_form_and_manner(program: Program, server: ScriptedServer) -> None:
    """CSV, raw bytes, how long is waited, and whether an error is the end."""
    server.handlers["BLOB"] = lambda _peer, _arguments: b"\x00\xff\x1b[31m"
    server.handlers["SLOW"] = lambda peer, _arguments: peer.read() and None
    assert program.here("--csv", "-c", "CLIENTS").stdout.startswith("id,name\n1,secure-client\n")
    assert program.bytes_of("--raw", "-c", "BLOB") == b"\x00\xff\x1b[31m"
    late = program.here("--timeout", "0.3", "-c", "SLOW")
    assert (late.returncode, "gave no answer within 0.3 s" in late.stderr) == (3, True), late.stderr
    assert program.here("-c", "DENIED", "-c", "ECHO x").stdout == "ECHO: x\n"
    stopped = program.here("--stop-on-error", "-c", "DENIED", "-c", "ECHO x")
    assert (stopped.returncode, stopped.stdout) == (1, "")
    batch = program.here("--stop-on-error", stdin="DENIED\nECHO x\n")
    assert (batch.returncode, batch.stdout) == (1, "")


@pytest.mark.parametrize("words", [("--json", "--csv"), ("--csv", "--raw"), ("--timeout", "0"), ("--timeout", "soon")])
def test_options_that_cannot_be_meant(program: Program, words: tuple[str, ...]) -> None:
    """Usage, and nothing is sent."""
    assert program.here(*words, "-c", "PING").returncode == 2


def test_quiet_is_quiet(program: Program, server: ScriptedServer) -> None:
    """But for errors: nothing of how a job stands."""

    def job(peer: Peer, _arguments: list[str]) -> object:
        peer.send(Push("job", (7, "running", 0)))
        peer.send(Push("stream", ("a part",)))
        return "done"

    server.handlers["JOB"] = job
    loud, quiet = program.here("-c", "JOB START X"), program.here("-q", "-c", "JOB START X")
    assert loud.stdout == quiet.stdout == "a part\ndone\n"
    assert "job 7" in loud.stderr
    assert quiet.stderr == ""
    assert "NOPERM" in program.here("--quiet", "-c", "DENIED").stderr
