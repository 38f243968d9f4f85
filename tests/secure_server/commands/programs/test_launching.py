"""Programs that wait for a word, and give rights up: what the launcher does, and what it does not leave behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from secure_server.commands.programs import launching, process
from secure_server.commands.programs.launcher import CPU_GRACE, FAILED, GO
from secure_server.commands.programs.launching import LAUNCHER, Rights, check, launch
from secure_server.commands.programs.process import Process
from tests.integration.running import eventually
from tests.secure_server.commands.programs.test_process import ENVIRONMENT, alive, outcome

if sys.platform == "win32":
    pytest.skip("programs are run on POSIX systems only", allow_module_level=True)

FEW = Rights(nice=1)
"""What makes the launcher start a program, and changes little."""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


def started(
    *argv: str,
    rights: Rights = FEW,
    before: Callable[[int], None] | None = None,
    environment: Mapping[str, str] = ENVIRONMENT,
) -> Process:
    """A program that the launcher starts."""
    return Process(argv, directory=None, environment=environment, rights=rights, before=before)


def said(script: str, rights: Rights) -> list[str]:
    """What a shell's script says under these rights."""
    lines, code = outcome(started("sh", "-c", script, rights=rights))
    assert code == 0, lines
    return [line.decode() for line in lines]


def descriptors() -> int:
    """How many this process has open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are enough


@pytest.fixture
def forked() -> Iterator[Callable[..., None]]:
    """Fork a child that does nothing, and lives as long as the test."""
    children = []

    def fork(*_: object) -> None:
        child = os.fork()
        if child == 0:
            while True:
                signal.pause()
        children.append(child)

    yield fork
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_child_that_a_handler_forks_meanwhile_holds_no_start_up(
    forked: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has copies of the pipes through which the launcher is told to go, and may live for days."""
    monkeypatch.setattr(launching, "LAUNCH_SECONDS", 3.0)
    assert outcome(started("echo", "said", before=forked)) == ([b"said"], 0)


def test_nor_does_it_hold_up_a_programs_input(forked: Callable[..., None]) -> None:
    """A program that reads to the end finds the end."""
    with Process(["cat"], directory=None, environment=ENVIRONMENT, stdin=b"one\ntwo\n") as process:
        forked()
        giving_up = threading.Timer(3.0, process.wake)
        giving_up.start()
        assert (list(process.lines()), process.wait()) == ([b"one", b"two"], 0)
        giving_up.cancel()


def test_a_program_has_what_it_is_left_of_rights() -> None:
    """umask, niceness, and the limits; of processor time a little is left to tidy up in."""
    script = "umask; nice; ulimit -St; ulimit -Ht; ulimit -Hv; ulimit -Sn; ulimit -Hn"
    found = said(script, Rights(umask=0o027, nice=3, cpu=7, memory=1 << 30, files=40))
    before = os.nice(0)
    assert found == ["0027", str(before + 3), "7", str(7 + CPU_GRACE), str((1 << 30) // 1024), "40", "40"]


def test_the_launcher_has_nothing_of_the_servers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor of the program's: that comes with the order. But for what some Pythons need to start."""
    found: list[bytes] = [b""]
    monkeypatch.setenv("PASSWORD_OF_THE_SERVER", "hunter2")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere")

    def look(pid: int) -> None:
        environment = Path(f"/proc/{pid}/environ")
        eventually(lambda: environment.read_bytes() != b"")  # the kernel has it a moment after `exec` has closed files
        found[0] = environment.read_bytes()

    assert outcome(started("env", before=look, environment={**ENVIRONMENT, "OF_THE_PROGRAM": "1"}))[1] == 0
    assert found == [b"LD_LIBRARY_PATH=/nowhere\0"]


def test_a_limit_is_never_more_than_the_servers_own() -> None:
    """Root's could be; what the server was limited to holds for what it starts."""
    (most,) = said("ulimit -Hn", FEW)
    assert said("ulimit -Hn", Rights(files=2**30)) == [most]


@as_root
def test_a_program_is_somebody_else_in_all_respects() -> None:
    """The groups are that user's, too, and there is no way back."""
    import pwd  # noqa: PLC0415 - POSIX has it alone

    user = pwd.getpwnam("nobody")
    found = said("grep -E '^(Uid|Gid|Groups|CapEff|CapPrm):' /proc/self/status", Rights(user="nobody"))
    fields = {line.split(":")[0]: line.split(":")[1].split() for line in found}
    assert fields["Uid"] == [str(user.pw_uid)] * 4
    assert fields["Gid"] == [str(user.pw_gid)] * 4
    assert sorted(map(int, fields["Groups"])) == sorted(os.getgrouplist("nobody", user.pw_gid))
    assert set(fields["CapEff"] + fields["CapPrm"]) == {"0" * 16}


@as_root
def test_somebody_else_may_open_its_streams_again() -> None:
    """Scripts write to /dev/stderr; pipes that root made are root's."""
    script = "echo a >/dev/stdout; echo b >/dev/stderr; cat </dev/stdin"
    rights = Rights(user="nobody")
    program = Process(["sh", "-c", script], directory=None, environment=ENVIRONMENT, stdin=b"c\n", rights=rights)
    assert outcome(program) == ([b"a", b"b", b"c"], 0)
    assert Path("/dev/null").stat().st_uid == 0


@as_root
def test_limits_hold_for_who_cannot_read_python() -> None:
    """Whatever the launcher needs it has before it is somebody else."""
    assert said("id -un; ulimit -Hn", Rights(user="nobody", files=40)) == ["nobody", "40"]


def test_who_it_is_already_it_need_not_become() -> None:
    """So a server that is not root may name its own user."""
    import pwd  # noqa: PLC0415 - as above

    assert said("id -u", Rights(user=pwd.getpwuid(os.geteuid()).pw_name)) == [str(os.geteuid())]


def test_it_sees_nothing_of_the_launcher() -> None:
    """The same environment, descriptors, signals (SigQ is all its user's) and session as one started at once."""
    script = "env | grep -v '^_='; ls /proc/self/fd; grep -E '^Sig[^Q]' /proc/self/status; cat"
    environment = {**ENVIRONMENT, "A": "=\n", "B": "", "LANG": "C"}
    direct = outcome(Process(["sh", "-c", script], directory=None, environment=environment))
    assert outcome(started("sh", "-c", script, environment=environment)) == direct
    with started("sh", "-c", "echo $$; exec sleep 100") as program:
        pid = int(next(program.lines()))
        assert os.getsid(pid) == os.getpgid(pid) == pid
        eventually(lambda: Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x00100\x00")


def test_bytes_that_are_no_text_reach_it() -> None:
    """In words and in variables, as from `subprocess`."""
    environment = {**ENVIRONMENT, "A": "\udcff\udcfe", "B": "\udcff"}
    script = 'printf "%s %s %s\\n" "$A" "$B" "$1"'
    assert outcome(started("sh", "-c", script, "sh", "\udcfe", environment=environment)) == (
        [b"\xff\xfe \xff \xfe"],
        0,
    )


def test_an_order_may_be_longer_than_a_pipe_holds() -> None:
    """A pipe has 64 KB."""
    words = [letter * 65_000 for letter in "abcdef"]
    lines, _ = outcome(started("sh", "-c", 'printf "%s\\n" "${#1} ${#6} $#"', "sh", *words))
    assert lines == [b"65000 65000 6"]


def test_nothing_is_executed_before_it_may_be(tmp_path: Path) -> None:
    """The process is there, and has its number, while something else is done first."""
    marker, seen = tmp_path / "marker", list[int]()

    def before(pid: int) -> None:
        seen.append(pid)
        eventually(lambda: b"launcher.py" in Path(f"/proc/{pid}/cmdline").read_bytes())
        assert not marker.exists()
        assert os.getsid(pid) == pid

    with started("sh", "-c", f"echo $$; touch {marker}", before=before, rights=Rights()) as program:
        assert [int(line) for line in program.lines()] == seen
        assert program.wait() == 0
    assert marker.exists()


def test_nothing_is_executed_where_it_may_not_be(tmp_path: Path) -> None:
    """What fails before is raised, the launcher ends, and nothing stays open."""
    marker, seen, open_before = tmp_path / "marker", list[int](), descriptors()

    def before(pid: int) -> None:
        seen.append(pid)
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        started("touch", str(marker), before=before)
    assert not alive(seen[0])
    assert not marker.exists()
    assert descriptors() == open_before


def test_a_server_that_dies_has_started_nothing(tmp_path: Path) -> None:
    """Killed before the word: the launcher ends by itself."""
    marker = tmp_path / "marker"
    script = (
        "import os, signal\n"
        "from secure_server.commands.programs.launching import Rights, launch\n"
        "def before(pid):\n"
        "    print(pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        f"launch(['touch', {str(marker)!r}], {ENVIRONMENT!r}, Rights(), before)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=False)
    assert done.returncode == -signal.SIGKILL
    eventually(lambda: not alive(int(done.stdout)))
    assert not marker.exists()


@pytest.mark.parametrize("kept", ["nothing", "a word that is the last one", "all but the word", "all"])
def test_half_an_order_is_none(tmp_path: Path, kept: str) -> None:
    """Wherever the server died while it gave it, also behind an argument that is the word to go itself."""
    marker = tmp_path / "marker"
    fields = [b"3", b"1", b"", b"", b"", b"", b"", b"", b"/usr/bin/touch", bytes(marker), GO, b"A=1", GO]
    sent = {
        "nothing": b"",
        "a word that is the last one": b"\0".join(fields[:11]),
        "all but the word": b"\0".join(fields[:12]),
        "all": b"\0".join(fields),
    }[kept]
    order, orders = os.pipe()
    report, reports = os.pipe()
    argv = [sys.executable, "-I", "-S", str(LAUNCHER), str(order), str(reports)]
    with subprocess.Popen(argv, pass_fds=(order, reports), cwd=tmp_path) as launcher:
        os.close(order)
        os.close(reports)
        os.write(orders, sent)
        os.close(orders)
        assert launcher.wait() == (0 if kept == "all" else FAILED)
    os.close(report)
    assert marker.exists() is (kept == "all")


@pytest.mark.parametrize(
    ("argv", "kind"),
    [
        (["/nowhere/program"], FileNotFoundError),
        (["no-such-program"], FileNotFoundError),
        (["/etc/passwd"], PermissionError),
        (["/etc/passwd/x"], NotADirectoryError),
    ],
)
def test_why_it_cannot_be_executed_is_told(argv: list[str], kind: type[OSError]) -> None:
    """As `subprocess` tells it; nothing stays open."""
    before = descriptors()
    with pytest.raises(kind) as caught:
        started(*argv)
    with pytest.raises(kind) as direct:
        Process(argv, directory=None, environment=ENVIRONMENT)
    assert str(caught.value) == str(direct.value)
    assert descriptors() == before


def test_a_user_who_has_gone_is_named() -> None:
    """Checked at the start; but users are removed while a server runs."""
    with pytest.raises(OSError, match="there is no user 'nobody-at-all' any more"):
        started("true", rights=Rights(user="nobody-at-all"))


def test_which_right_could_not_be_given_up_is_told() -> None:
    """And why; nothing was executed with more than it should have."""
    told = f"nice\0{errno.EPERM}\0PermissionError".encode()
    with pytest.raises(PermissionError, match=f"nice: {os.strerror(errno.EPERM)}"):
        check(told, "true", FEW)
    if os.geteuid() != 0:
        with pytest.raises(PermissionError, match="run_as: "):
            started("true", rights=Rights(user="root"))


def test_a_launcher_that_breaks_is_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That its pipe closes does not prove that anything was executed, and what it says is nobody's output."""
    broken = tmp_path / "launcher.py"
    broken.write_text("raise SystemExit('Traceback')\n")
    monkeypatch.setattr(launching, "LAUNCHER", broken)
    with pytest.raises(OSError, match="ended before it had started anything"):
        started("true")


def test_a_launcher_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory of users that does not answer, say; a worker does not wait for ever."""
    broken, seen = tmp_path / "launcher.py", list[int]()
    broken.write_text("while True: __import__('time').sleep(9)\n")
    monkeypatch.setattr(launching, "LAUNCHER", broken)
    monkeypatch.setattr(launching, "LAUNCH_SECONDS", 0.1)
    with pytest.raises(TimeoutError):
        started("true", "x" * 200_000, before=seen.append)
    assert not alive(seen[0])


def test_one_that_cannot_be_killed_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stuck in the kernel; its worker is not."""
    broken, seen = tmp_path / "launcher.py", list[int]()
    broken.write_text("while True: __import__('time').sleep(9)\n")
    monkeypatch.setattr(launching, "LAUNCHER", broken)
    monkeypatch.setattr(launching, "LAUNCH_SECONDS", 0.05)
    monkeypatch.setattr(launching, "KILLED_SECONDS", 0.05)
    killed = list[subprocess.Popen[bytes]]()
    monkeypatch.setattr(subprocess.Popen, "kill", lambda popen: killed.append(popen))  # noqa: PLW0108 - as a method
    giving_up = threading.Timer(5.0, lambda: os.kill(seen[0], signal.SIGKILL))
    giving_up.start()
    with pytest.raises(TimeoutError):
        started("true", before=seen.append)
    assert alive(seen[0])
    giving_up.cancel()
    os.kill(seen[0], signal.SIGKILL)
    killed[0].wait()


def test_a_nul_is_refused_as_ever() -> None:
    """It would end the field."""
    with pytest.raises(ValueError, match="null"):
        launch(["true"], {"A": "\0"}, FEW, None)


def test_a_program_that_gives_nothing_up_needs_no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts as it always did, at once."""
    monkeypatch.setattr(process, "launch", None)
    assert outcome(Process(["echo", "a"], directory=None, environment=ENVIRONMENT)) == ([b"a"], 0)
