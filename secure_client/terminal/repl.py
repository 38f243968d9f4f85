"""The interactive terminal: a prompt that stays while the connection comes and goes."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress

from prompt_toolkit.history import History

from secure_client.answers.colours import Colour, painted
from secure_client.answers.rendering import Renderer
from secure_client.client import Client
from secure_client.core.call import Call
from secure_client.core.status import State, Status
from secure_client.errors import (
    SENTENCE_CHARACTERS,
    ClientError,
    CommandFailed,
    DeclinedError,
    DetachedError,
    GivenUpError,
    SetupError,
    TooLongError,
)
from secure_client.i18n import _
from secure_client.terminal import news, waiting
from secure_client.terminal.after import After, StoppedError, after, lines_of
from secure_client.terminal.appearance import DEFAULT_APPEARANCE, Appearance
from secure_client.terminal.interrupts import Interrupts
from secure_client.terminal.jobs import submit
from secure_client.terminal.local.commands import LocalCommands
from secure_client.terminal.local.preferences import Kept
from secure_client.terminal.local.servers import MovedError, StayedError
from secure_client.terminal.pager import Pager
from secure_client.terminal.pages import Pages
from secure_client.terminal.progress import ProgressBar
from secure_client.terminal.prompt.prompt import Prompt
from secure_client.terminal.prompt.typeahead import Typeahead
from secure_client.terminal.running import TICK, Running
from secure_client.terminal.waiting import Waiting
from secure_client.typed.asking import Question
from secure_client.typed.line import Line, learn
from secure_client.typed.precautions import Precautions
from secure_protocol.description import COMMANDS_CHANGED
from secure_protocol.errors import ErrorCode
from secure_protocol.printable import printable
from secure_protocol.replies import Push

MOST_LINES = 1000
"""Run at once: what one can have pasted, and still look at. More of them are a file, and no pasting."""
MOST_SHOWN = 10
"""Questions of such lines that are shown; a small terminal has room for them."""


class Repl:
    """Reads lines, runs them, shows answers, and what else happens, above the prompt.

    Args:
        client: connected, or soon.
        renderer: writes answers.
        appearance: prompt, intro, toolbar, local commands.
        history: of typed lines; None for the user's file.
        server: what the user calls it; empty for its address.
        yes: the answer to what commands ask before they are sent, given beforehand.
        ahead: what was typed at the server that the user comes from; None at the first one.
    """

    def __init__(
        self,
        client: Client,
        renderer: Renderer,
        appearance: Appearance = DEFAULT_APPEARANCE,
        history: History | None = None,
        *,
        server: str = "",
        yes: bool = False,
        ahead: Typeahead | None = None,
    ) -> None:
        self._client = client
        self._renderer = renderer
        self._appearance = appearance
        self._where = str(client.login.endpoint)
        self._told = client.status
        self._bar = ProgressBar(sys.stderr, shown=sys.stderr.isatty())
        self._local = LocalCommands(client, renderer, self, Kept(server or self._where), appearance)
        self._aliases = self._local.aliases
        renderer.short = self._aliases.short
        self._prompt = Prompt(client, appearance, self._local.names, history, self._print_news, self._aliases)
        self._came = ahead is not None
        self.ahead = self._prompt.ahead = ahead or self._prompt.ahead
        self._waiting = Waiting(client, self._print_news, self._bar, self._prompt.standing)
        self._precautions = Precautions(server or self._where, yes=yes, ask=self._prompt.ask)
        self._pager = Pager(self._prompt.lent, self._print_news)
        self._local.begin()

    def announce(self, text: str) -> None:
        """Show a line above the prompt; any thread."""
        self._prompt.announcer.say(text)

    def run(self) -> int:
        """Serve the user until they leave; return the exit code.

        Raises:
            MovedError: they go on at another server.
        """
        self._client.on_push = self._pushed
        self._client.on_state = self._changed
        self._greet(self._client.status)
        if self._came:
            sentence = _("Connected to {endpoint} as {user}.")
            self._print_news(sentence.format(endpoint=self._where, user=self._prompt.user))
        elif self._appearance.intro:
            self._print_news(_(self._appearance.intro))
        self._tell_own_role()
        try:
            while self._interruptible():
                pass
        except EOFError:  # the user left without a goodbye: what the connection was doing then counts
            error = self._client.status.error
            return error.exit_code if error is not None else 0
        finally:
            self._client.on_state = self._client.on_push = None
        return 0

    def _interruptible(self) -> bool:
        """`_once`, for a Ctrl-C in the moment between reading a line and waiting for its answer, or after it."""
        try:
            return self._once()
        except KeyboardInterrupt:
            self._tell_interrupted()
            return True

    def _tell_interrupted(self) -> None:
        sentence = _("Interrupted; a command that was sent may still run.")
        self._print_news(f"\n{sentence}")

    def _once(self) -> bool:
        """Read a line, or several that were pasted, and run them; False after a goodbye."""
        try:
            text = self._prompt.read()
        except KeyboardInterrupt:
            return True  # the line is cleared: the next prompt is empty
        lines = lines_of(text)
        if len(lines) > 1:
            return self._run_all(lines, text)
        return not lines or self._run_line(lines[0]) is not After.GOODBYE

    def _run_all(self, lines: list[str], text: str) -> bool:
        """Run lines that came together, once the user has agreed to all of them; False after a goodbye."""
        try:
            agreed = self._agreed(lines)
        except ClientError as error:
            agreed = False
            self._print_news(str(error), Colour.ERROR)
        if not agreed:
            if len(lines) <= shutil.get_terminal_size().lines // 2:
                self._prompt.again = text
            else:  # they would leave no room for what was said of them
                self._print_news(_("The arrow up brings the lines back."))
            return True
        for number, line in enumerate(lines, 1):
            self._prompt.echo(line)
            try:
                then = self._run_line(line, agreed=True)
            except KeyboardInterrupt:
                self._tell_interrupted()
                then = After.STOP
            except MovedError:  # what was agreed to was about the server before
                self._tell_not_run(len(lines) - number, len(lines))
                raise
            if then is After.GOODBYE:
                return False
            if then is not After.NEXT:
                self._tell_not_run(len(lines) - number, len(lines))
                break
        return True

    def _tell_not_run(self, count: int, lines: int) -> None:
        if count:
            self._print_news(_("Not run: {count} of {all} lines.").format(count=count, all=lines))

    def _agreed(self, lines: list[str]) -> bool:
        """Ask about all lines at once, where one of them asks before it is sent; whether they may run.

        Raises:
            ClientError: what they would ask cannot be known now; or they are too many.
        """
        if len(lines) > MOST_LINES:
            sentence = _("{count} lines are more than the {most} that are run at once; run a file of them by `< FILE`.")
            raise TooLongError(sentence.format(count=len(lines), most=MOST_LINES))
        asked = []
        try:
            self._learn()
            for text in lines:
                with suppress(SetupError):  # a quote that is not closed: said when it is its turn
                    meant = self._aliases.expanded(text)
                    line = None if meant.startswith("\\") else Line.parse(meant)
                    if line is not None:
                        line = line.without_secrets(self._client.catalogue)
                        asked.append(self._precautions.question(self._client.catalogue, line, self._client.execute))
        except KeyboardInterrupt:
            raise DeclinedError(_("Interrupted; nothing was sent.")) from None
        questions = [question for question in asked if question is not None]
        if not questions:
            return True
        for question in questions[:MOST_SHOWN]:
            self._print_news(f"  {question.text}")
        if len(questions) > MOST_SHOWN:
            self._print_news("  " + _("… and {count} more").format(count=len(questions) - MOST_SHOWN))
        words = _("Run all {count} lines?").format(count=len(lines))
        if self._prompt.ask(Question(words, danger=any(question.danger for question in questions))):
            return True
        raise DeclinedError(_("Not confirmed; nothing was sent."))

    def _run_line(self, text: str, *, agreed: bool = False) -> After:
        """Run a line.

        Args:
            text: without blanks around it.
            agreed: the user has been asked about it already.
        """
        try:
            given, meant = text, self._aliases.expanded(text)
            if meant.startswith("\\"):
                text = meant
                return self._run_local(text)
            line = Line.parse(meant)
            if line is None:
                return After.NEXT
            if self._client.status.state is not State.CONNECTED and Call(line.words, idempotent=False).goodbye:
                return After.GOODBYE  # nobody is there to say it to, and to be waited for
            try:
                self._learn()
                meant = self._aliases.expanded(given)  # again: what short words stand for goes by what there is
                if meant.startswith("\\"):
                    return self._run_local(meant)
                line = (Line.parse(meant) or line).without_secrets(self._client.catalogue)
                text = line.text
                execute, session = self._client.execute, self._client.status.session
                line = self._precautions.take(self._client.catalogue, line, execute, session, agreed=agreed)
            except KeyboardInterrupt:
                raise DeclinedError(_("Interrupted; nothing was sent.")) from None
            self._local.ran(text)
            began = time.monotonic()
            try:
                return self._run(line, detach=self._aliases.detaches(given))
            finally:
                if self._local.timing:
                    took = (time.monotonic() - began) * 1000
                    self._print_news(_("Time: {milliseconds} ms").format(milliseconds=f"{took:.1f}"))
        except ClientError as error:
            ours = text.startswith("\\")  # which is no answer, and may hold a secret that nobody has looked for
            if not ours:
                self._renderer.failure(text, error)
            if ours or not self._renderer.as_json:
                self._print_news(str(error), Colour.ERROR)
            return after(error)

    def _run_local(self, text: str) -> After:
        try:
            if answer := self._local.run(text):
                self._renderer.show(answer.split("\n"))
        except ClientError as error:  # no server's answer, which alone is told in JSON
            self._print_news(str(error), Colour.ERROR)
            if isinstance(error, StayedError):
                self._prompt.forget()  # it was typed for the other server
            return after(error)
        return After.NEXT

    def _learn(self) -> None:
        """Know the commands before one is sent; without a connection, as they were told last."""
        state = self._client.status.state
        if state is State.CONNECTED:
            learn(self._client, waiting.RECONNECT_PATIENCE)
        elif state is not State.STOPPED and not self._client.catalogue:
            self._waiting.learn()

    # -- commands -----------------------------------------------------------------------------------------------------

    def _run(self, line: Line, *, detach: bool = False) -> After:
        status = self._client.status
        if status.state is State.STOPPED and status.error is not None:
            sentence = _("\\reconnect tries again.")
            raise StoppedError(f"{status.error} {sentence}", status.error)
        with Interrupts() as interrupts:
            pages = Pages.of(line, self._client.catalogue) if self._renderer.for_people else None
            request, broken_off = submit(self._client, line if pages is None else pages.first), False
            shown = self._renderer, self._bar, interrupts
            running = Running(self._client, line, request, *shown, detach=detach, pages=pages)
            leave = request.detach if request.watch is not None else None
            try:
                patience = waiting.RECONNECT_PATIENCE
                if status.state is not State.CONNECTED:
                    self._waiting.begin()
                    patience = TICK
                with self._prompt.ahead.watching(leave):
                    running.show(patience, self._waiting.unless_sent(request, patience))
            except GivenUpError as error:
                self._print_news(f"\n{error}")
            except KeyboardInterrupt:  # before `show` looked out for it, or after
                broken_off = True
                self._print_news(f"\n{running.given_up()}")
            except CommandFailed as error:
                ended = running.interrupted and error.code == ErrorCode.CANCELLED
                if not (ended or isinstance(error, DetachedError)):
                    raise
                self._renderer.failure(line.text, error)
                self._print_news(printable(error.text, SENTENCE_CHARACTERS))
            finally:
                if running.interrupted:
                    self._prompt.ahead.clear()
        if broken_off or running.interrupted:
            return After.STOP
        return After.GOODBYE if request.call.goodbye else After.NEXT

    # -- for the terminal's own commands ------------------------------------------------------------------------------

    def run_line(self, text: str, *, agreed: bool = False) -> After:
        """Run a line."""
        return self._run_line(text, agreed=agreed)

    def agrees(self, lines: list[str]) -> bool:
        """Ask about lines before they are run; raises ClientError."""
        return self._agreed(lines)

    def typed_lines(self) -> Iterable[str]:
        """What was typed, the newest first."""
        return self._prompt.typed_lines()

    def reconnect(self) -> None:
        """Connect now; the user asked, and is told the outcome even if it is the old one."""
        self._told = Status(State.CONNECTING)
        self._client.reconnect()

    def lent(self) -> AbstractContextManager[object]:
        """Leave the terminal to something else in a block; what happens is told after it."""
        return self._prompt.lent()

    def use_vi(self, wanted: bool) -> None:  # noqa: FBT001 - a switch
        """Have keys as in vi, or not."""
        self._prompt.vi = wanted

    def use_pager(self, wanted: bool) -> None:  # noqa: FBT001 - a switch
        """Have answers that are taller than the screen in a pager, or not."""
        self._renderer.pager = self._pager.show if wanted else None

    # -- news, on the link's thread -----------------------------------------------------------------------------------

    def _pushed(self, push: Push) -> None:
        if push.kind != COMMANDS_CHANGED:  # the client asks for them by itself, and completion goes by its answer
            self.announce(news.of_push(push))

    def _changed(self, status: Status) -> None:
        self._greet(status)
        line = news.of_connection(self._told, status, self._where, self._prompt.user)
        if status.state is not State.CONNECTING:
            self._told = status
        if line:
            self._prompt.announcer.say(line, news.colour_of(status))
        self._prompt.announcer.redraw()

    def _greet(self, status: Status) -> None:
        if status.session is not None:
            self._prompt.user = status.session.user
            self._client.learn_commands().add_done_callback(lambda _: self._prompt.announcer.redraw())

    def _tell_own_role(self) -> None:
        """Say why there is so little to run, where it goes by where the user is."""
        session = self._client.status.session
        if session is not None and session.own_role:
            sentence = _(
                "You have the role {own}, but act as {role} from here: the server's setting admin.networks says from "
                "where admins are such."
            )
            self._print_news(sentence.format(own=session.own_role, role=session.role), Colour.WAITING)

    def _print_news(self, text: str, colour: Colour | None = None) -> None:
        with self._bar.above():
            print(painted(news.folded(text), colour, sys.stderr), file=sys.stderr, flush=True)
