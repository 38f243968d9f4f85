"""Ctrl-C while a command runs, at each moment at which it can come."""

from __future__ import annotations

import io
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

import secure_client
from secure_client.answers.formats import Format
from secure_client.answers.rendering import Renderer
from secure_client.client import Client
from secure_client.connection.request import Request
from secure_client.core.call import Call
from secure_client.core.status import State
from secure_client.core.watch import Watch
from secure_client.errors import CommandFailed, GivenUpError
from secure_client.terminal.interrupts import Interrupts
from secure_client.terminal.progress import ProgressBar
from secure_client.terminal.running import Running
from secure_client.typed.line import Line
from secure_protocol.replies import ErrorReply, Push

if TYPE_CHECKING:
    from _typeshed import TraceFunction

PATIENCE = 30.0

_HERE = Path(secure_client.__file__).parent
WATCHED = (str(_HERE / "connection"), str(_HERE / "core"), threading.__file__)
"""Where locks are taken that the link shares."""


CLIENT = cast(
    "Client",
    SimpleNamespace(
        status=SimpleNamespace(state=State.CONNECTED, session=None), catalogue=SimpleNamespace(find=lambda _names: None)
    ),
)


class _AtStep:
    """Traces what is WATCHED; before its `step`th instruction Ctrl-C is pressed."""

    def __init__(self, step: int) -> None:
        self._left = step
        self.pressed = False

    def trace(self, frame: FrameType, event: str, _argument: object) -> TraceFunction | None:
        """What `sys.settrace` calls."""
        if not frame.f_code.co_filename.startswith(WATCHED):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and not self.pressed:
            self._left -= 1
            if self._left < 0:
                self.pressed = True
                signal.raise_signal(signal.SIGINT)
        return self.trace


def _shown(request: Request, step: int) -> bool:
    """Show a command that is answered already; return whether Ctrl-C came in the midst of that."""
    assert request.call.begin()
    request.call.take(Push("job", (7, "running", 0)))
    request.call.take(Push("stream", ("a part",)))
    request.call.answer("done")
    pressing, before = _AtStep(step), sys.gettrace()
    line = Line.parse("DEPLOY")
    assert line is not None
    try:
        with Interrupts() as interrupts:
            running = Running(
                CLIENT, line, request, Renderer(io.StringIO()), ProgressBar(io.StringIO(), shown=False), interrupts
            )
            sys._getframe().f_trace_opcodes = True  # Python 3.12 looks for one before it traces any
            sys.settrace(pressing.trace)
            try:
                running.show(PATIENCE, lambda: None)
            finally:
                sys.settrace(before)
    except (GivenUpError, KeyboardInterrupt):
        assert pressing.pressed
    return pressing.pressed


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is not a signal there")
@pytest.mark.parametrize("job", [False, True], ids=["command", "job"])
def test_a_ctrl_c_leaves_no_lock_behind_whenever_it_comes(capfd: pytest.CaptureFixture[str], job: bool) -> None:  # noqa: FBT001 - the parameter
    """The link's thread would wait for it for ever, and the next command for the link."""
    step, pressed = 0, True
    with ThreadPoolExecutor(1) as link:
        while pressed:
            request = Request(
                Watch.start([b"DEPLOY"], "key") if job else Call([b"DEPLOY"], idempotent=False, streaming=True)
            )
            pressed = _shown(request, step)
            free = link.submit(lambda request=request: request.parts._lock.acquire(timeout=PATIENCE))  # type: ignore[misc] # bound default
            assert free.result(), f"step {step}"
            free = link.submit(lambda request=request: request._condition.acquire(timeout=PATIENCE))  # type: ignore[misc] # bound default
            assert free.result(), f"step {step}"
            step += 1
    assert step > 100, "there was something to interrupt"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class _Pressing(io.StringIO):
    """Ctrl-C is pressed while it is written to."""

    def write(self, text: str) -> int:
        signal.raise_signal(signal.SIGINT)
        return super().write(text)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is not a signal there")
def test_a_ctrl_c_while_the_last_part_is_written_is_heeded_though_the_command_failed() -> None:
    """Else what follows it would run, as if nobody had pressed anything."""
    request = Request(Watch.start([b"FAIL"], "key"))
    assert request.call.begin()
    request.call.take(Push("job", (7, "running", 0)))
    request.call.take(Push("stream", ("a part",)))
    request.call.answer(ErrorReply("ERR", "It failed."))
    bar, line = ProgressBar(io.StringIO(), shown=False), Line("FAIL", (b"FAIL",))
    with pytest.raises(CommandFailed), Interrupts() as interrupts:  # noqa: PT012 - `running` is looked at
        running = Running(CLIENT, line, request, Renderer(_Pressing(), form=Format.JSON), bar, interrupts)
        running.show(PATIENCE, lambda: None)
    assert running.interrupted


def test_a_second_ctrl_c_is_raised_where_nothing_waits() -> None:
    """Where something else takes too long, there is a way out; one alone is raised at the next wait, or at the end."""
    reached = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012, SIM117 - all but the end is reached without one
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGINT)
            reached.append("kept")
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt), interrupts.waiting():
                reached.append("not reached")
            signal.raise_signal(signal.SIGINT)
            reached.append("kept again")
    assert reached == ["kept", "kept again"]


def test_an_ignored_ctrl_c_stays_so() -> None:
    """As in a shell's background job."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
