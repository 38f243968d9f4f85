"""Real programs: their lines, their end, and the end of all that they started."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from secure_server.commands.programs import process as process_module
from secure_server.commands.programs.launching import SERVERS, Rights
from secure_server.commands.programs.process import LINE_BYTES, Process
from tests.integration.running import eventually

if sys.platform == "win32":
    pytest.skip("programs are run on POSIX systems only", allow_module_level=True)

ENVIRONMENT = {"PATH": os.defpath}
PATIENCE = 30.0
"""Seconds; only a failing test waits for it."""


def shell(script: str, *, errors: bool = True, directory: Path | None = None) -> Process:
    """A script as a process."""
    return Process(["sh", "-c", script], directory=directory, environment=ENVIRONMENT, errors=errors)


def python(script: str) -> Process:
    """Likewise, in Python."""
    return Process([sys.executable, "-c", script], directory=None, environment=ENVIRONMENT)


def outcome(process: Process) -> tuple[list[bytes], int | None]:
    """All lines, and the exit code."""
    with process:
        return list(process.lines()), process.wait()


def alive(pid: int) -> bool:
    """Whether there is such a process that is not merely waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture(params=["pidfd", "without pidfd"])
def either_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Linux, and a system that cannot tell when a process ends."""
    if request.param != "pidfd":
        monkeypatch.delattr(os, "pidfd_open")
    return str(request.param)


def test_lines_come_without_their_ends(either_system: str) -> None:
    """LF or CRLF, empty ones too, and the last one also without an end."""
    assert outcome(shell(r"printf 'a\n\nb\r\nc'")) == ([b"a", b"", b"b", b"c"], 0)


@pytest.mark.parametrize(
    ("script", "code"), [("exit 3", 3), ("kill -9 $$", -9), ("exec >&- 2>&-; sleep 0.05; exit 5", 5)]
)
def test_the_exit_code_is_told(either_system: str, script: str, code: int) -> None:
    """Of a signal negative; also where the output ended before the program."""
    process = shell(script)
    assert outcome(process) == ([], code)
    assert process._popen.returncode == code  # it was reaped after its group was ended, not before


def test_it_sees_nothing_of_ours(tmp_path: Path) -> None:
    """Its stdin is empty, its environment and directory are what was given, and it has a session of its own."""
    script = "cat; pwd; env | grep -v '^PWD=\\|^SHLVL=\\|^_='; ps -o sid= -p $$ >/dev/null 2>&1; echo $$"
    lines, code = outcome(shell(script, directory=tmp_path))
    assert lines[:2] == [str(tmp_path).encode(), f"PATH={os.defpath}".encode()]
    assert code == 0
    with shell("echo $$; exec sleep 100") as process:
        pid = int(next(process.lines()))
        assert os.getsid(pid) == os.getpgid(pid) == pid


def test_stderr_is_merged_or_dropped() -> None:
    """As the declaration says."""
    assert outcome(shell("echo a; echo b >&2"))[0] == [b"a", b"b"]
    assert outcome(shell("echo a; echo b >&2", errors=False))[0] == [b"a"]


def test_a_line_without_end_comes_in_pieces() -> None:
    """Nothing is lost, no piece is long, and no character of UTF-8 is cut in two."""
    lines, _ = outcome(python(f"import sys; sys.stdout.buffer.write('€'.encode() * {LINE_BYTES} + b'x\\n\\xff\\n')"))
    assert b"".join(lines[:-1]) == "€".encode() * LINE_BYTES + b"x"
    assert all(len(line) <= LINE_BYTES and line.decode() for line in lines[:-1])
    assert lines[-1] == b"\xff"
    lines, _ = outcome(python(f"import sys; sys.stdout.buffer.write(b'\\x80' * {LINE_BYTES * 2})"))
    assert b"".join(lines) == b"\x80" * LINE_BYTES * 2


def test_a_program_waits_for_its_reader() -> None:
    """What nobody reads stays in the pipe, so the program stops writing and the memory stays small."""
    script = "import os\nfor n in range(10**9):\n os.write(2, b'.')\n os.write(1, b'x' * 999 + b'\\n')"
    read, write = os.pipe()
    with os.fdopen(read, "rb"), python(script) as process:
        os.close(write)
        lines = process.lines()
        assert len(next(lines)) >= 999
        pid = process._popen.pid
        before = [Path(f"/proc/{pid}/io").read_text(), ""]

        def settled() -> bool:
            before.append(Path(f"/proc/{pid}/io").read_text())
            return before[-1] == before[-2] and Path(f"/proc/{pid}/stat").read_text().split()[2] == "S"

        eventually(settled)


def test_who_only_holds_the_output_is_not_waited_for() -> None:
    """When the program is over, its answer is; what it left behind in its group is ended."""
    with shell("sleep 100 & echo $!") as process:
        (line,) = process.lines()
        assert process.wait() == 0
        assert alive(int(line))
    eventually(lambda: not alive(int(line)))


def test_who_goes_on_writing_is_not_read_on() -> None:
    """What the program itself wrote is there to the last byte; what it left behind ends with it."""
    process = shell("yes & sleep 0.05; echo last; exit 4")
    deadline, last = time.monotonic() + PATIENCE, 0
    with process:
        for line in process.lines():
            last += line == b"last"
            assert time.monotonic() < deadline, "it reads on and on"
        assert process.wait() == 4
    assert last == 1


def test_lines_that_came_with_the_end_are_not_lost() -> None:
    """Even if the program is over long before anybody reads."""
    with shell("sleep 100 & seq 1000") as process:
        eventually(lambda: not alive(process._popen.pid))
        assert len(list(process.lines())) == 1000


@pytest.mark.parametrize("script", ["sleep 100", "exec >&- 2>&-; sleep 100", "yes"])
def test_it_wakes_at_once(either_system: str, script: str) -> None:
    """Whether it waits for output or for the end, or there is no end of output."""
    with shell(script) as process:
        timer = threading.Timer(0.05, process.wake)
        timer.start()
        started = time.monotonic()
        if not list(process.lines()):
            assert process.wait() is None
        assert time.monotonic() - started < PATIENCE
        timer.join()
        for _ in range(70_000):  # more wakeups than a pipe holds
            process.wake()


def test_the_whole_group_ends_gently(tmp_path: Path) -> None:
    """SIGTERM reaches the grandchildren, and what they still do is waited for, though their parent is over at once."""
    script = "(trap 'sleep 0.1; echo tidy > tidied; exit' TERM; echo ready; while :; do sleep 0.01; done) & wait"
    with shell(script, directory=tmp_path) as process:
        assert next(process.lines()) == b"ready"
    assert (tmp_path / "tidied").read_text() == "tidy\n"


def test_who_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL follows, for the whole group."""
    monkeypatch.setattr(process_module, "TERM_SECONDS", 0.2)
    with shell("trap '' TERM; sleep 100 & echo $!; while :; do sleep 100; done") as process:
        child = int(next(process.lines()))
        group = process._popen.pid
    eventually(lambda: not alive(child))
    assert process._popen.returncode == -signal.SIGKILL
    assert not alive(group)


def test_who_may_not_be_signalled_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that runs as somebody else costs its worker seconds, not for ever."""

    def refuse(_group: int, _number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(process_module, "TERM_SECONDS", 0.05)
    monkeypatch.setattr(os, "killpg", refuse)
    started = time.monotonic()
    with shell("echo a; exec sleep 100") as process:
        assert next(process.lines()) == b"a"
    assert time.monotonic() - started < PATIENCE
    process._popen.kill()
    process._popen.wait()


def test_nothing_stays_open() -> None:
    """Neither after a run nor after a failed start."""
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are enough
    outcome(shell("echo a"))
    with pytest.raises(FileNotFoundError):
        Process(["/nowhere/program"], directory=None, environment=ENVIRONMENT)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - likewise


def fed(script: str, stdin: bytes, rights: Rights) -> Process:
    """A script in Python with something to read."""
    return Process([sys.executable, "-c", script], directory=None, environment=ENVIRONMENT, stdin=stdin, rights=rights)


@pytest.fixture(params=[SERVERS, Rights(nice=1)], ids=["at once", "by the launcher"])
def either_start(request: pytest.FixtureRequest) -> Rights:
    """A program that is started at once, and one that the launcher starts."""
    found: Rights = request.param
    return found


def test_it_reads_what_it_is_given(either_start: Rights) -> None:
    """Bytes as they are, more of them than a pipe holds, then the end; while what it writes is read."""
    body = bytes(range(256)) * 2048
    script = (
        "import sys, hashlib\n"
        "digest = hashlib.sha256()\n"
        "while data := sys.stdin.buffer.read(1000):\n"
        "    digest.update(data)\n"
        "    sys.stdout.write('x' * 999 + '\\n')\n"
        "print(digest.hexdigest())\n"
    )
    lines, code = outcome(fed(script, body, either_start))
    assert (lines[-1].decode(), code) == (hashlib.sha256(body).hexdigest(), 0)


def test_who_writes_first_is_read_first(either_start: Rights) -> None:
    """Neither waits for the other for ever."""
    script = "import sys\nsys.stdout.write('x' * 300_000 + '\\n')\nsys.stdout.flush()\nprint(len(sys.stdin.read()))"
    lines, code = outcome(fed(script, b"y" * 300_000, either_start))
    assert (lines[-1], code) == (b"300000", 0)


@pytest.mark.parametrize(
    ("script", "told", "ended"),
    [
        ("print('done')", [b"done"], 0),
        ("import os\nos.close(0)\nprint('closed')\nraise SystemExit(3)", [b"closed"], 3),
        ("import sys\nprint(sys.stdin.read(5))", [b"yyyyy"], 0),
    ],
    ids=["unread", "closed", "half read"],
)
def test_a_program_need_not_read(either_start: Rights, script: str, told: list[bytes], ended: int) -> None:
    """Nor all of it: that is no failure."""
    assert outcome(fed(script, b"y" * 1_000_000, either_start)) == (told, ended)


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "talking"])
def test_it_wakes_while_nobody_reads(either_system: str, *, silent: bool) -> None:
    """A program that does not read its input is ended as any other."""
    script = "import time\nprint('ready', flush=True)\n" + (
        "time.sleep(100)" if silent else "while True: print('x' * 100)"
    )
    with fed(script, b"y" * 1_000_000, SERVERS) as process:
        lines = process.lines()
        assert next(lines) == b"ready"
        process.wake()
        list(lines)
        assert process.wait() is None
    assert not alive(process._popen.pid)


def test_nothing_of_the_input_stays_open(either_start: Rights) -> None:
    """Read or not."""
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are enough
    outcome(fed("pass", b"y" * 1_000_000, either_start))
    outcome(fed("import sys; sys.stdin.read()", b"y", either_start))
    with pytest.raises(FileNotFoundError):
        Process(["/nowhere/x"], directory=None, environment=ENVIRONMENT, stdin=b"y", rights=either_start)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - likewise
