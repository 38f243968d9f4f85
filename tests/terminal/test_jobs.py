"""Jobs as a person sees them: the real client, the real server, and a network that breaks between them."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from secure_protocol.replies import Push
from secure_server.auth.principal import Role
from secure_server.commands.command import ATTRIBUTE, command
from secure_server.commands.context import Context
from secure_server.server import Server
from tests.integration.running import Running
from tests.terminal.fault_proxy import FaultProxy
from tests.terminal.resting import at_prompt, known
from tests.terminal.screen import PATIENCE, Screen
from tests.terminal.test_pager import PAGER
from tests.terminal.test_repl import CTRL_C, CTRL_D, ENTER, UP, enter, leave


class Commands:
    """Commands of this test; what they wait for is the test's to give.

    Attributes:
        go_on: awaited by DEPLOY between its parts.
        ended: set when FOREVER was told to stop.
    """

    def __init__(self) -> None:
        self.go_on = threading.Semaphore(0)
        self.ended = threading.Event()

    def register(self, server: Server) -> None:
        """Add them to a server that has not started yet."""
        commands = self

        @command("DEPLOY", summary="Deploy in steps.", job=True, max_running=1, when_busy="queue")
        def deploy(context: Context, steps: int) -> Generator[str, None, str]:
            for step in range(steps):
                yield f"step {step} of it"
                context.progress(step / steps, "deploying")
                assert commands.go_on.acquire(timeout=PATIENCE)
            return "deployed"

        @command("FOREVER", summary="Go on until it is told to stop.", job=True, timeout=None)
        def forever(context: Context) -> Iterator[str]:
            yield "still here"
            context.cancelled.wait(PATIENCE)
            commands.ended.set()

        @command("FLOOD", summary="Say more than is kept.", job=True)
        def flood(_context: Context) -> Iterator[str]:
            for line in range(3000):
                yield f"line {line} {'x' * 60}"

        @command("FAIL", summary="Fail.", job=True)
        def fail(_context: Context) -> Iterator[str]:
            yield "about to fail"
            raise ValueError

        @command("TALL", summary="Return more than a screen holds.", job=True)
        def tall(_context: Context) -> list[str]:
            return [f"row {number}" for number in range(30)]

        for handler in (deploy, forever, flood, fail, tall):
            for found in getattr(handler, ATTRIBUTE):
                server.registry.add(found)

    def let(self, steps: int) -> None:
        """Have DEPLOY take so many steps."""
        self.go_on.release(steps)


@pytest.fixture
def commands() -> Iterator[Commands]:
    """The test's own commands, let go in the end."""
    made = Commands()
    yield made
    made.let(1000)


@pytest.fixture
def running(certificates: Path, tmp_path: Path, commands: Commands) -> Iterator[Running]:
    """A real server that has them, and keeps little of a job's output."""
    server = Running(certificates, tmp_path / "data", {"jobs": {"output": "64KB"}})
    commands.register(server.server)
    with server:
        yield server


@pytest.fixture
def proxy(running: Running) -> Iterator[FaultProxy]:
    """The network before it."""
    with FaultProxy(running.port) as between:
        yield between


@pytest.fixture
def argv(running: Running, proxy: FaultProxy) -> list[str]:
    """The client's command line."""
    return [sys.executable, "-m", "secure_client", f"localhost:{proxy.port}", "--ca", str(running.ca)]


@pytest.fixture
def environment(running: Running, home: Path) -> dict[str, str]:
    """The client's environment."""
    return {"SECURE_CLIENT_HOME": str(home), "SECURE_CLIENT_TOKEN": running.token()}


@pytest.fixture
def screen(argv: list[str], environment: dict[str, str]) -> Iterator[Screen]:
    """The client at its prompt, connected."""
    with Screen(argv, environment) as opened:
        opened.wait(lambda: "secure>" in opened.text and "connected" in opened.toolbar)
        known(opened)
        yield opened


def output(screen: Screen) -> list[str]:
    """The lines of a job's output on the screen."""
    return [line for line in screen.lines if line.startswith(("step", "deployed", "…"))]


def test_a_job_is_shown_with_its_number(screen: Screen, commands: Commands) -> None:
    """Then its output and its result, as of any command."""
    enter(screen, "DEPLOY 2")
    screen.wait("step 0 of it")
    screen.wait("0 % deploying")
    commands.let(2)
    screen.wait("deployed")
    at_prompt(screen)
    assert "job 1" in screen.lines
    assert output(screen) == ["step 0 of it", "step 1 of it", "deployed"]
    assert b"\x1b[36mjob 1\x1b[0m" in screen.raw, "as long as it runs"
    enter(screen, "JOBS")
    screen.wait("done")
    assert b"\x1b[32mdone\x1b[0m" in screen.raw
    leave(screen)


def test_a_result_taller_than_the_screen_leaves_the_keys_to_the_pager(
    argv: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    """While a job is followed they were read here."""
    pager = tmp_path / "pager.py"
    pager.write_text(PAGER, encoding="utf-8")
    words = shlex.join([sys.executable, str(pager), str(tmp_path / "told.json")])
    with Screen(argv, {**environment, "PAGER": words}) as screen:
        at_prompt(screen)
        enter(screen, "TALL")
        screen.wait("pager: here")
        screen.type("q" + ENTER)
        at_prompt(screen)
        leave(screen)


def test_a_job_is_run_and_attached_to_by_short_words(screen: Screen, commands: Commands) -> None:
    """Or left as soon as it has a number, which says how to come back."""
    enter(screen, "run DEPLOY 2 --detach")
    screen.wait("Job 1 goes on; JOB ATTACH 1")
    at_prompt(screen)
    enter(screen, "attach 1")
    screen.wait("step 0 of it")
    commands.let(2)
    screen.wait("deployed")
    at_prompt(screen)
    screen.type("run DEPLOY x ")
    screen.wait("steps is a number, and x is none")
    screen.type(CTRL_C)
    enter(screen, "run DEPLOY 0")
    screen.wait("job 2")
    screen.wait(lambda: screen.text.count("deployed") == 2)
    leave(screen)


def test_a_broken_line_is_mended_by_itself(screen: Screen, commands: Commands, proxy: FaultProxy) -> None:
    """Said above the output; no part is lost, none comes twice, and nobody does anything."""
    enter(screen, "DEPLOY 4")
    screen.wait("step 0 of it")
    proxy.cut()
    screen.wait("was lost")
    screen.wait("Connected again")
    commands.let(2)
    screen.wait("step 2 of it")
    proxy.down()
    commands.let(2)
    screen.wait(lambda: screen.text.count("was lost") == 2)
    proxy.up()
    screen.wait("deployed")
    at_prompt(screen)
    assert output(screen) == [f"step {step} of it" for step in range(4)] + ["deployed"]
    assert screen.lines.count("job 1") == 1
    leave(screen)


def test_ctrl_c_cancels_a_job_also_after_a_broken_line(
    screen: Screen, commands: Commands, proxy: FaultProxy, running: Running
) -> None:
    """The server's words say so."""
    enter(screen, "FOREVER")
    screen.wait("still here")
    screen.type(CTRL_C)
    screen.wait("cancelled")
    assert commands.ended.wait(PATIENCE)
    commands.ended.clear()
    enter(screen, "FOREVER")
    screen.wait("job 2")
    proxy.cut()
    screen.wait("Connected again")
    screen.type(CTRL_C)
    screen.wait(lambda: screen.text.count("The job was cancelled by user.") == 2)
    assert commands.ended.wait(PATIENCE)
    enter(screen, "ECHO next")
    screen.wait("ECHO: next")
    assert [str(job.state) for job in running.server._jobs.all] == ["cancelled", "cancelled"]
    leave(screen)


def test_ctrl_d_leaves_a_job_and_says_how_to_come_back(screen: Screen, commands: Commands, running: Running) -> None:
    """It goes on; what the line says, typed, comes back to it; there Ctrl-C leaves it, too."""
    enter(screen, "DEPLOY 3")
    screen.wait("step 0 of it")
    screen.type(CTRL_D)
    screen.wait("Job 1 goes on; JOB ATTACH 1 1 comes back to it.")
    enter(screen, "ECHO meanwhile")
    screen.wait("ECHO: meanwhile")
    commands.let(1)
    enter(screen, "JOB ATTACH 1 1")
    screen.wait("step 1 of it")
    screen.type(CTRL_C)
    screen.wait("Job 1 goes on; JOB ATTACH 1 2 comes back to it.")
    commands.let(2)
    enter(screen, "job attach 1 1 --numbered")
    screen.wait("deployed")
    at_prompt(screen)
    assert "1: step 1 of it" in screen.lines
    assert "2: step 2 of it" in screen.lines
    assert str(running.server._jobs.all[0].state) == "done"
    leave(screen)


def test_ctrl_d_leaves_a_job_while_there_is_no_connection(
    screen: Screen, commands: Commands, proxy: FaultProxy, running: Running
) -> None:
    """At once; likewise Ctrl-C, which cannot cancel it then, and does not do so later."""
    enter(screen, "DEPLOY 1")
    screen.wait("step 0 of it")
    proxy.down()
    screen.wait("was lost")
    screen.type(CTRL_C)
    screen.wait("job 1 may still run")
    proxy.up()
    enter(screen, "JOB ATTACH 1 1")
    screen.wait(lambda: screen.lines.count("job 1") == 2)
    proxy.down()
    screen.wait(lambda: screen.text.count("was lost") == 2)
    screen.type(CTRL_D)
    screen.wait("Job 1 goes on; JOB ATTACH 1 1 comes back to it.")
    proxy.up()
    enter(screen, "ECHO again")
    screen.wait("ECHO: again")
    commands.let(1)
    screen.wait("[jobs] Job 1 (DEPLOY) has ended: done.")
    assert str(running.server._jobs.all[0].state) == "done"
    leave(screen)


def test_what_is_typed_while_a_job_is_followed_is_for_the_prompt(screen: Screen, commands: Commands) -> None:
    """Whole lines run after it; the rest of one without an end stands at the prompt, and Ctrl-D leaves all the same."""
    enter(screen, "DEPLOY 1")
    screen.wait("step 0 of it")
    screen.type("ECHO ahead\r")
    screen.wait("ECHO ahead")
    screen.type("ECHO re")
    screen.type(CTRL_D)
    screen.wait("Job 1 goes on")
    screen.wait("ECHO: ahead")
    screen.wait(lambda: screen.typing == "secure> ECHO re")
    screen.type("st\r")
    screen.wait("ECHO: rest")
    at_prompt(screen)
    screen.type(UP + UP)
    screen.wait(lambda: screen.typing == "secure> ECHO ahead")
    screen.type(CTRL_C)
    commands.let(1)
    leave(screen)


def test_ctrl_c_forgets_what_was_typed_while_a_job_was_followed(screen: Screen, commands: Commands) -> None:
    """As the terminal itself does."""
    enter(screen, "FOREVER")
    screen.wait("still here")
    screen.type("ECHO ahead\r")
    screen.wait("ECHO ahead")
    screen.type(CTRL_C)
    screen.wait("The job was cancelled by user.")
    enter(screen, "ECHO next")
    screen.wait("ECHO: next")
    assert "ECHO: ahead" not in screen.text
    assert commands.ended.is_set()
    leave(screen)


def test_a_place_in_the_line_is_shown(screen: Screen, commands: Commands, running: Running) -> None:
    """Until it runs."""
    with running.resp() as other:
        other.request("DEPLOY", "1")
        assert other.reply() == Push("job", (1, "running", 0))
        enter(screen, "DEPLOY 2")
        screen.wait("job 2: waiting, place 1")
        commands.let(1)
        screen.wait("job 2: running")
        commands.let(2)
        screen.wait("deployed")
        at_prompt(screen)
    leave(screen)


def test_output_that_was_dropped_is_said(screen: Screen, running: Running) -> None:
    """In its place."""
    with running.resp(running.token(Role.USER)) as other:
        other.request("FLOOD")
        while other.reply() != "OK":
            pass
    enter(screen, "JOB ATTACH 1 100")
    screen.wait("line 2999")
    at_prompt(screen)
    screen.wait(lambda: b"parts " in screen.raw and b" were dropped" in screen.raw)
    leave(screen)


def run(argv: list[str], environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the client without a terminal."""
    return subprocess.run(
        [*argv, *arguments],
        env={**environment, "LC_ALL": "C.UTF-8", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_jobs_of_one_shot_commands(argv: list[str], environment: dict[str, str], commands: Commands) -> None:
    """Data on stdout, the number on stderr; JSON has the numbers of job and part. Exit codes as of other commands."""
    commands.let(100)
    done = run(argv, environment, "-c", "DEPLOY 2", "-c", "ECHO x")
    assert (done.returncode, done.stderr) == (0, "job 1\n")
    assert done.stdout == "step 0 of it\nstep 1 of it\ndeployed\nECHO: x\n"
    done = run(argv, environment, "--json", "-c", "DEPLOY 1", "-c", "JOB RERUN 2", "-c", "JOB ATTACH 1 1")
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"command": "DEPLOY 1", "job": 2, "number": 0, "part": "step 0 of it"},
        {"command": "DEPLOY 1", "job": 2, "ok": True, "reply": "deployed"},
        {"command": "JOB RERUN 2", "job": 3, "number": 0, "part": "step 0 of it"},
        {"command": "JOB RERUN 2", "job": 3, "ok": True, "reply": "deployed"},
        {"command": "JOB ATTACH 1 1", "job": 1, "number": 1, "part": "step 1 of it"},
        {"command": "JOB ATTACH 1 1", "job": 1, "ok": True, "reply": "deployed"},
    ]
    done = run(argv, environment, "--json", "-c", "FAIL")
    assert done.returncode == 1
    part, failed = map(json.loads, done.stdout.splitlines())
    assert part == {"command": "FAIL", "job": 4, "number": 0, "part": "about to fail"}
    assert (failed["job"], failed["ok"], failed["code"]) == (4, False, "ERR"), failed


def test_a_one_shot_job_goes_on_after_a_broken_line(
    argv: list[str], environment: dict[str, str], commands: Commands, proxy: FaultProxy
) -> None:
    """A program that does not reconnect for anything else does so for a job, and says so on stderr."""
    with Screen([*argv, "-c", "JOB START DEPLOY 3", "-c", "ECHO x"], environment) as screen:
        screen.wait("step 0 of it")
        proxy.cut()
        screen.wait("Connected again")
        commands.let(3)
        assert screen.ended() == 0
        assert output(screen) == ["step 0 of it", "step 1 of it", "step 2 of it", "deployed"]
        assert "ECHO: x" in screen.lines


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_where_output_is_lost_it_is_said_how_to_come_back_to_the_job(
    argv: list[str], environment: dict[str, str], commands: Commands
) -> None:
    """To the part that was lost, for the job goes on. Where a reader had enough, nothing is said."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*argv, "-c", "DEPLOY 2"],
            env={**environment, "LC_ALL": "C.UTF-8", "PATH": ""},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 3
    assert done.stderr.decode().split("lost. ")[1] == "Job 1 goes on; JOB ATTACH 1 0 comes back to it.\n"
    commands.let(2)


def test_a_small_terminal_has_room_for_output(argv: list[str], environment: dict[str, str], commands: Commands) -> None:
    """What the prompt keeps free for its menu is a third, so that an answer is not pushed out at once."""
    with Screen(argv, environment, rows=10, columns=40) as screen:
        screen.wait(lambda: "secure>" in screen.text and "connected" in screen.toolbar)
        commands.let(4)
        enter(screen, "DEPLOY 4")
        screen.wait("deployed")
        at_prompt(screen)
        assert output(screen) == ["step 0 of it", "step 1 of it", "step 2 of it", "step 3 of it", "deployed"]
        leave(screen)
