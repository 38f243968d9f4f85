"""A command that runs while the user looks on: parts, progress, Ctrl-C.

The first Ctrl-C has the server end the command, and its answer says what became of it. A second one stops the waiting
for that. Where there is no connection, the first one gives the command up; a job goes on then.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from secure_client.answers.colours import Colour, painted
from secure_client.answers.formats import Format
from secure_client.answers.rendering import COLUMNS, Renderer
from secure_client.catalogue import Catalogue, is_plain
from secure_client.client import Client
from secure_client.connection.request import Request
from secure_client.core.call import ANSWER_TIMEOUT, NoSignError, is_plain_end
from secure_client.core.status import State
from secure_client.core.watch import Part
from secure_client.errors import ClientError, DeclinedError, GivenUpError, job_goes_on, no_longer_waiting
from secure_client.i18n import _
from secure_client.streams import OutputError
from secure_client.terminal.interrupts import Interrupts
from secure_client.terminal.jobs import JobNews, submit
from secure_client.terminal.manner import USUAL, Manner
from secure_client.terminal.pages import Pages
from secure_client.terminal.progress import ProgressBar
from secure_client.typed.arguments import Call, call_of
from secure_client.typed.line import Line, learn
from secure_client.typed.precautions import Precautions
from secure_protocol import text_replies
from secure_protocol.description import CommandDescription
from secure_protocol.printable import printable

HELP, COMMANDS = b"HELP", b"COMMANDS"
"""What lists the commands; for a person it is drawn from their descriptions, to the width of the terminal."""
TOP = "TOP"
"""Ours, where the server has no command of that name."""
COUNT = b"count"
"""The option by which a table's rows are counted, and not shown."""
TICK = 1.0
"""Seconds between looks at a command that has been silent for a while."""


class InterruptedByUser(KeyboardInterrupt):
    """A Ctrl-C that has been dealt with: the command was ended, and the user told; the program ends too."""


class Running:
    """Shows a command's answer as it comes.

    Args:
        client: where it runs.
        line: as it was typed.
        request: submitted with `streaming`.
        renderer: writes parts and answer.
        bar: shows progress.
        interrupts: entered; a Ctrl-C is raised where this waits.
        manner: how long a silent job is waited for, and whether more is told of it than its output.
        detach: a job is left as soon as it has a number.
        pages: where the request asks for the first rows only.

    Attributes:
        interrupted: the user pressed Ctrl-C.
    """

    def __init__(
        self,
        client: Client,
        line: Line,
        request: Request,
        renderer: Renderer,
        bar: ProgressBar,
        interrupts: Interrupts,
        manner: Manner = USUAL,
        *,
        detach: bool = False,
        pages: Pages | None = None,
    ) -> None:
        self._detach = detach
        self._pages = pages
        self._client = client
        self._line = line
        self._request = request
        self._renderer = renderer
        self._bar = bar
        self._interrupts = interrupts
        self._manner = manner
        self._watch = request.watch
        self._news = JobNews(self._watch) if self._watch is not None else None
        self._numbers = b"--numbered" in line.words and self._watch is not None and self._watch.joined
        self._session = client.status.session
        self._silent = 0.0
        self.interrupted = False

    def show(self, patience: float, silence: Callable[[], None]) -> None:
        """Wait for the answer and write it, with all that comes before it.

        Args:
            patience: seconds until the first call of `silence`.
            silence: called when nothing came so far, or of a job for as long and there is no connection; raises if that
                is too long.

        Raises:
            ClientError: the command failed, or was given up.
        """
        try:
            value = self._wait(patience, silence)
        except KeyboardInterrupt:
            self.interrupted = True
            self._bar.clear()
            value = self._end()
        finally:
            self._bar.clear()
        word, *rest = self._line.words
        if self._renderer.for_people and word.upper() == HELP and rest:
            self._renderer.explain(value)
        elif self._renderer.for_people and not rest and (known := self._listed(word.upper(), value)):
            self._renderer.overview(known)
        elif self._renderer.as_json or not (self._request.begun and is_plain_end(value)):
            value, following = (value, None) if self._pages is None else self._pages.taken(value, self._ask)
            self._renderer.answer(self._line.text, value, self._described(value), self._job, following)

    def _ask(self, line: Line) -> object:
        """Have the server answer what belongs to the same answer: the next rows of a long table."""
        request = self._client.submit(line.words, idempotent=True)
        try:
            return request.wait(self._manner.timeout, waiting=self._interrupts.waiting)
        except NoSignError:
            raise self._client.too_late(request, self._manner.timeout) from None
        except KeyboardInterrupt:
            request.leave()
            raise

    def _listed(self, word: bytes, value: object) -> list[CommandDescription]:
        """Return what a line that lists the commands is about, as the server tells it now; nothing of any other.

        Now, for the user may have chosen another language, or become somebody else. Completion goes by it, too.
        """
        if word == COMMANDS and not self._renderer.vertical:
            return Catalogue.from_wire(value).commands
        if word != HELP:
            return []
        try:
            return Catalogue.from_wire(self._client.result(self._client.learn_commands(), ANSWER_TIMEOUT)).commands
        except ClientError:
            return []

    def _described(self, value: object) -> CommandDescription | None:
        """Return what the server says of the command, and of a table whose rows the arguments ruled out."""
        call = call_of(self._client.catalogue, self._line.words)
        if call is None:
            return None
        found = call.description
        if any(f"--{given.argument.name}" == COLUMNS for given in call.given if given.argument.flag):
            found = found._replace(minor=())
        if value != [] or not (found.unmatched and found.idempotent) or self._renderer.form is not Format.TEXT:
            return found
        given = b" ".join(self._line.words[call.start :]).decode("utf-8", "replace")
        if not given:
            return found
        try:
            count = self._count(call)
        except ClientError:
            return found
        return found._replace(empty=found.told_of_none(count, printable(given)))

    def _columns(self) -> Sequence[str]:
        """Return what the parts of a stream have, where the server says so."""
        call = call_of(self._client.catalogue, self._line.words)
        return () if call is None else call.description.columns

    def _count(self, call: Call) -> int:
        """Return how many rows there are without arguments, but for those that say which kind of rows it is about."""
        switches = [word for word in self._line.words[call.start :] if word in _switches(call.description)]
        if b"--" + COUNT in _switches(call.description):
            told = self._client.execute(*call.description.name.split(), *switches, b"--" + COUNT)
            return told if isinstance(told, int) else 0
        rows = self._client.execute(*call.description.name.split())
        return len(rows) if isinstance(rows, list) else 0

    def _wait(self, patience: float, silence: Callable[[], None]) -> object:
        while True:
            try:
                return self._request.wait(patience, self._part, self._progress, self._interrupts.waiting)
            except NoSignError:
                if not self._request.begun or self._is_away(patience):
                    silence()
                patience = TICK

    def _is_away(self, waited: float) -> bool:
        """Whether a job's connection has been gone, or silent, for as long as an answer is waited for.

        Of a job the server says something four times in that time, also while it is queued. Waits are counted, not
        read from a clock: where we were stopped ourselves, what came meanwhile is still to be looked at.

        Args:
            waited: seconds, just now.
        """
        session = self._client.status.session
        self._silent = self._silent + waited if session is self._session else 0.0
        self._session = session
        return self._watch is not None and self._silent >= self._manner.timeout

    def _progress(self, fraction: float, text: str) -> None:
        self._silent = 0.0
        self._bar.show(fraction, text)

    def _part(self, value: object) -> None:
        self._silent, number = 0.0, None
        if self._news is not None:
            if news := self._news.line(value):
                self._tell(news, self._news.colour(value))
            if self._detach:
                self._request.detach()
            if not isinstance(value, Part):
                return
            number, value = value.number, value.value
            if self._numbers and not self._renderer.as_json:
                value = "\n".join(f"{number}: {line}" for line in text_replies.lines(value))
        try:
            with self._bar.above():
                self._renderer.part(self._line.text, value, self._job, number, self._columns())
        except OutputError as error:
            if self._job is None or number is None or not error.told:
                raise
            raise error.so(job_goes_on(self._job, number)) from error

    @property
    def _job(self) -> int | None:
        return self._watch.number if self._watch is not None else None

    def _tell(self, news: str, colour: Colour | None) -> None:
        """Tell a person how the job stands; in JSON its parts have numbers, which show gaps."""
        if not (self._renderer.as_json or self._manner.quiet):
            with self._bar.above():
                print(painted(news, colour, sys.stderr), file=sys.stderr, flush=True)

    def given_up(self) -> GivenUpError:
        """Give the command up; return what that means."""
        if self._request.abandon():
            return GivenUpError(_("Given up; nothing was sent."))
        if self._news is not None and self._job:
            sentence = _("No longer waiting; job {number} may still run: JOB ATTACH {number} {next} comes back to it.")
            return GivenUpError(sentence.format(number=self._job, next=self._news.next))
        return no_longer_waiting()

    def _end(self) -> object:
        """Have the server end it, and return its answer: it may have been quicker."""
        connected = self._client.status.state is State.CONNECTED
        given_up = self.given_up()
        if self._request.cancelled() or not connected:
            self._request.leave()  # a job is not ended by a wish that would be heard of later
            raise given_up
        leaves = self._watch is not None and self._watch.leaving
        if sys.stderr.isatty() and not (leaves or self._request.done()):
            sentence = _("Asked the server to end it; Ctrl-C again stops waiting.")
            print(f"\n{sentence}", file=sys.stderr, flush=True)
        try:
            return self._wait(TICK, lambda: None)
        except KeyboardInterrupt:
            self._request.leave()
            raise given_up from None


def _switches(description: CommandDescription) -> set[bytes]:
    return {f"--{item.name}".encode() for item in description.arguments if item.flag and item.type == "bool"}


class Told:
    """Tells of the failures of one command: as JSON on stdout, in a sentence on stderr.

    Args:
        renderer: writes JSON.
        complain: writes a sentence.
        text: the command, as it may be shown so far as that is known.
        form: wording around the sentence, with `{error}`.
    """

    def __init__(self, renderer: Renderer, complain: Callable[[str], None], text: str, form: str = "{error}") -> None:
        self._renderer = renderer
        self._complain = complain
        self._form = form
        self.text = text

    def __call__(self, error: ClientError) -> None:
        """Tell of one."""
        self._renderer.failure(self.text, error)
        self._complain(self._form.replace("{error}", str(error)))


def run_line(
    client: Client, line: Line, renderer: Renderer, told: Told, precautions: Precautions, manner: Manner = USUAL
) -> bool:
    """Run a command for a program and write its answer; return whether it was the last one, a goodbye.

    Args:
        client: connected.
        line: as it was typed.
        renderer: writes the answer.
        told: told of the error of an interrupted command; gets to know how the line may be shown.
        precautions: taken before anything is sent.
        manner: how it is run.

    Raises:
        ClientError: it failed, or there was no sign of it for too long.
        InterruptedByUser: they ended it, and have been told what became of it.
    """
    try:
        if not (renderer.as_json and is_plain(line.names)):
            learn(client, manner.timeout)
        if line.names[0].upper() == TOP and client.catalogue.find(line.names) is None:
            from secure_client.terminal.top.command import answer  # noqa: PLC0415 - of no use to any other line

            answer(client, line, renderer)
            return False
        line = line.without_secrets(client.catalogue)
        told.text = line.text
        line = precautions.take(client.catalogue, line, client.execute, client.status.session)
    except KeyboardInterrupt:
        told(DeclinedError(_("Interrupted; nothing was sent.")))
        raise InterruptedByUser from None
    with Interrupts() as interrupts:
        pages = Pages.of(line, client.catalogue) if renderer.for_people else None
        request = submit(client, line if pages is None else pages.first)

        def silence() -> None:
            raise client.too_late(request, manner.timeout)

        bar = ProgressBar(sys.stderr, shown=sys.stderr.isatty() and not manner.quiet)
        running = Running(client, line, request, renderer, bar, interrupts, manner, pages=pages)
        try:
            running.show(manner.timeout, silence)
        except ClientError as error:
            if not running.interrupted:
                raise
            told(error)
    if running.interrupted:
        raise InterruptedByUser
    return request.call.goodbye
