"""What is done with a typed command before it is sent: files are read, and the user is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from secure_client.catalogue import Catalogue
from secure_client.core.login import Session
from secure_client.errors import DeclinedError, NotSentError
from secure_client.i18n import _
from secure_client.typed.arguments import STARTS_AGAIN, Call, call_of
from secure_client.typed.asking import Ask, Question
from secure_client.typed.files import Files
from secure_client.typed.line import Line

_USUAL = Session(0, "", "", "")


class Precautions:
    """Taken once for each line; what the link repeats by itself after a broken connection is not asked about again.

    Args:
        server: what the user calls it.
        yes: the answer to all questions, given beforehand (`--yes`).
        ask: asks the user; None where there is no terminal to ask on.
        stdin: what `@-` stands for; None where the commands themselves come from there.
    """

    def __init__(
        self, server: str, *, yes: bool = False, ask: Ask | None = None, stdin: BinaryIO | None = None
    ) -> None:
        self._server = server
        self._yes = yes
        self._ask = ask
        self._files = Files(stdin)

    def take(
        self,
        catalogue: Catalogue,
        line: Line,
        job: Callable[[bytes], object] = lambda _number: None,
        session: Session | None = None,
        *,
        agreed: bool = False,
    ) -> Line:
        """Return what to send.

        Args:
            catalogue: the server's commands; of what is not in it nothing is asked.
            line: with a text that may be shown.
            job: what the server tells of a job by its number (`JOB SHOW`); None where it tells nothing.
            session: of the connection now; None where there is none, and what servers usually take is sent.
            agreed: the user has been asked already.

        Raises:
            NotSentError: a file cannot be had, the user said no, or there is nobody to ask.
            KeyboardInterrupt: Ctrl-C, where `ask` raises it.
        """
        call = call_of(catalogue, line.words)
        if call is None:
            return line
        filled = self._files.fill(line, call, session or _USUAL)
        question = None if agreed else self.question(catalogue, line, job)
        if question is not None:
            if self._ask is None:
                sentence = _("{question} There is no terminal to answer on, so nothing was sent; --yes says yes.")
                raise NotSentError(sentence.format(question=question.text))
            if not self._ask(question):
                raise DeclinedError(_("Not confirmed; nothing was sent."))
        return filled

    def question(
        self, catalogue: Catalogue, line: Line, job: Callable[[bytes], object] = lambda _number: None
    ) -> Question | None:
        """Return what is to be asked before a line is sent; None where nothing is. Arguments as of `take`."""
        call = call_of(catalogue, line.words)
        if call is None or self._yes:
            return None
        return Question.before(*_again(catalogue, call, line.text, job), self._server)


def _again(catalogue: Catalogue, call: Call, shown: str, job: Callable[[bytes], object]) -> tuple[Call, str]:
    """Return what a call leads to, and how that may be shown.

    Of one that runs a job again it is the command that the job ran, as far as it is told.
    """
    numbers = [item.value for item in call.given if item.argument.name == "job"]
    told = job(numbers[0]) if call.description.name == STARTS_AGAIN and numbers else None
    if not isinstance(told, dict):
        return call, shown
    arguments = told.get("arguments")
    words = [*str(told.get("command")).split(), *(map(str, arguments) if isinstance(arguments, list) else ())]
    found = call_of(catalogue, [word.encode("utf-8", "surrogateescape") for word in words])
    return (found, f"{shown} ({' '.join(words)})") if found is not None else (call, shown)
