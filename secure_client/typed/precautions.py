"""What is done with a typed command before it is sent: files are read, what it chooses is shown, the user is asked."""

from __future__ import annotations

from typing import BinaryIO

from secure_client.catalogue import Catalogue
from secure_client.core.login import Session
from secure_client.errors import CommandFailed, DeclinedError, NotSentError
from secure_client.i18n import _
from secure_client.typed.arguments import STARTS_AGAIN, Call, call_of
from secure_client.typed.asking import Ask, Question
from secure_client.typed.files import Files
from secure_client.typed.line import NOTHING_TO_TELL, Line
from secure_client.typed.preview import Execute, Preview
from secure_protocol.description import YES

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
        execute: Execute = lambda *_words: None,
        session: Session | None = None,
        *,
        agreed: bool = False,
    ) -> Line:
        """Return what to send.

        Args:
            catalogue: the server's commands; of what is not in it nothing is asked.
            line: with a text that may be shown.
            execute: asks the server for what is needed to ask well.
            session: of the connection now; None where there is none, and what servers usually take is sent.
            agreed: the user has been asked already.

        Raises:
            NotSentError: a file cannot be had, the user said no, or there is nobody to ask.
            ClientError: the server does not tell what the command would choose.
            KeyboardInterrupt: Ctrl-C, where `ask` raises it.
        """
        call = call_of(catalogue, line.words)
        if call is None:
            return line
        filled = self._files.fill(line, call, session or _USUAL)
        preview = None
        if call.description.preview and not self._says_yes(call):  # what was agreed to before was not seen
            preview = Preview.of(catalogue, call, line, execute)
        if preview is not None:
            question = Question.before(call, line.text, self._server)
            question = None if question is None else question._replace(shown=preview.shown)
            filled = preview.held_to(filled, call)
        else:
            question = None if agreed else self.question(catalogue, line, execute)
        if question is not None:
            if self._ask is None:
                sentence = _("{question} There is no terminal to answer on, so nothing was sent; --yes says yes.")
                raise NotSentError(sentence.format(question=question.text))
            if not self._ask(question):
                raise DeclinedError(_("Not confirmed; nothing was sent."))
        return filled

    def question(self, catalogue: Catalogue, line: Line, execute: Execute = lambda *_words: None) -> Question | None:
        """Return what is to be asked before a line is sent; None where nothing is. Arguments as of `take`.

        Of a command with a preview it is not known before its turn: lines before it may change what it chooses.
        """
        call = call_of(catalogue, line.words)
        if call is None or call.description.preview or self._says_yes(call):
            return None
        return Question.before(*_again(catalogue, call, line.text, execute), self._server)

    def _says_yes(self, call: Call) -> bool:
        """Whether the answer is a yes, given beforehand: to the program, or by the command's own `--yes`."""
        return self._yes or any(
            item.argument.flag and item.argument.name == YES and item.value == YES.encode() for item in call.given
        )


def _again(catalogue: Catalogue, call: Call, shown: str, execute: Execute) -> tuple[Call, str]:
    """Return what a call leads to, and how that may be shown.

    Of one that runs a job again it is the command that the job ran, as far as it is told.
    """
    numbers = [item.value for item in call.given if item.argument.name == "job"]
    told = _job(execute, numbers[0]) if call.description.name == STARTS_AGAIN and numbers else None
    if not isinstance(told, dict):
        return call, shown
    arguments = told.get("arguments")
    words = [*str(told.get("command")).split(), *(map(str, arguments) if isinstance(arguments, list) else ())]
    found = call_of(catalogue, [word.encode("utf-8", "surrogateescape") for word in words])
    return (found, f"{shown} ({' '.join(words)})") if found is not None else (call, shown)


def _job(execute: Execute, number: bytes) -> object:
    """Return what the server tells of a job; None where it knows none, which it says when the line is sent.

    Raises:
        ClientError: it does not tell now.
    """
    try:
        return execute("JOB", "SHOW", number)
    except CommandFailed as error:
        if error.code not in NOTHING_TO_TELL:
            raise
        return None
