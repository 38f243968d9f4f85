"""What can go wrong at the client, each with its exit code.

    ClientError
    ├── CommandFailed               1  the server refused the command, or it failed there
    │   ├── BusyError               1  a job was not started, for another one excludes it
    │   ├── JobLostError            1  a job's end is not known: the server ended first
    │   └── DetachedError           0  a job is followed no more, and goes on: no failure
    ├── NoJobsError                 1  the server is of a version that knows no jobs
    ├── UnexpectedReplyError        1  an answer is not of the type that the program expects
    ├── TooLongError                1  a streamed answer is too long to be had in one piece
    ├── SetupError                  2  an address, file or profile that cannot be used; nothing was sent
    ├── NotSentError                2  a typed command names a file that cannot be had, or nobody can be asked about it
    │   └── DeclinedError           1  the user was asked, and said no
    ├── ConnectError                3  the server cannot be reached, or does not speak the protocol
    │   └── CertificateError        3  it can, but what answers cannot prove that it is the server
    ├── ConnectionLostError         3  the connection broke; `sent` says whether the command may have run
    │   └── OutcomeUnknown          3  it may, and was not sent again
    ├── EndedByServerError          3  the server ended the connection on purpose (kicked, goodbye, …)
    │   └── BannedError             4  it keeps us out, whatever we show
    ├── NoAnswerError               3  the connection stands, but no answer came in time
    ├── GivenUpError              130  the user stopped waiting for an answer
    ├── TooManyRequestsError        3  more requests wait than the client holds
    └── AuthenticationError         4  no token, no token of ours, or one that was refused
        ├── TokenWantedError        4  we showed none, and the server wants one
        ├── ClientCertificateError  4  the server wants a certificate of ours, or does not take the one we showed
        └── RevokedError            4  the token or certificate was good and is no longer

Each text is one sentence that says what was wrong, and what to do about it.
"""

from __future__ import annotations

from typing import ClassVar

from secure_client.i18n import _
from secure_protocol.printable import printable
from secure_protocol.reasons import CloseReason

SENTENCE_CHARACTERS = 500
"""Of what a server said, repeated in an error."""


class ClientError(Exception):
    """Something went wrong.

    Attributes:
        exit_code: what the program ends with when this ended it.
        code: what a program that reads `--json` decides by.
        retry_after: seconds that the server asked to be left alone for, or None.
        job: the number of the job that it is about, or None.
    """

    exit_code: ClassVar[int] = 3
    code: str = "ERR"
    retry_after: float | None = None
    job: int | None = None


class CommandFailed(ClientError):  # noqa: N818 - the word for it in the protocol's own description
    """The server answered a command with an error.

    Args:
        code: stable and upper case, such as `ERR` or `NOPERM`.
        text: the sentence, in the session's language.
    """

    exit_code = 1

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text

    def __str__(self) -> str:
        text = printable(self.text, SENTENCE_CHARACTERS)
        return f"ERROR: {text}" if self.code == "ERR" else f"ERROR: {printable(self.code)} {text}"


class BusyError(CommandFailed):
    """A job was not started, for another one excludes it; the text says which, to who may see it."""


class JobLostError(CommandFailed):
    """The server ended while the job ran: how far it came is not known."""


class DetachedError(CommandFailed):
    """A job is followed no more, and goes on; the text says how to come back to it. No failure."""

    exit_code = 0

    def __str__(self) -> str:
        return printable(self.text, SENTENCE_CHARACTERS)


class NoJobsError(ClientError):
    """The server is of a version that knows no jobs."""

    exit_code = 1
    code = "NOJOBS"


class UnexpectedReplyError(ClientError):
    """An answer is not of the type that the program expects.

    Attributes:
        reply: the answer.
    """

    exit_code = 1
    code = "UNEXPECTED"

    def __init__(self, sentence: str, reply: object) -> None:
        super().__init__(sentence)
        self.reply = reply


class TooLongError(ClientError):
    """A streamed answer is too long to be had in one piece; the server was asked to end the command."""

    exit_code = 1
    code = "TOOLONG"


class SetupError(ClientError):
    """What the client was given cannot be used."""

    exit_code = 2
    code = "SETUP"


class NotSentError(ClientError):
    """A typed command was not sent: a file that it names cannot be had, or nobody can be asked about it."""

    exit_code = 2
    code = "NOTSENT"


class DeclinedError(NotSentError):
    """The user was asked about a command, and said no."""

    exit_code = 1
    code = "DECLINED"


class ConnectError(ClientError):
    """The server cannot be reached, or does not speak the protocol."""

    code = "UNREACHABLE"

    def __init__(self, sentence: str, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class CertificateError(ConnectError):
    """What answers cannot prove that it is the server; trying again does not help."""

    code = "CERTIFICATE"


class ConnectionLostError(ClientError):
    """The connection broke before an answer came.

    Attributes:
        sent: the whole request had been given to the network, so the command may have run.
    """

    code = "LOST"

    def __init__(self, sentence: str, *, sent: bool = False, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.sent = sent
        self.retry_after = retry_after


class OutcomeUnknown(ConnectionLostError):  # noqa: N818 - what it says, rather than that it is an error
    """The connection broke when the command had been sent: it may have run, and was not sent again."""


class EndedByServerError(ClientError):
    """The server ended the connection on purpose.

    Attributes:
        reason: a `CloseReason`, or a word that only a newer server knows.
    """

    code = "CLOSED"

    def __init__(self, sentence: str, reason: str, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.retry_after = retry_after


class BannedError(EndedByServerError):
    """The server keeps us out, whatever we show; `retry_after` is for how long, where that can be waited for."""

    exit_code = 4
    code = "BANNED"


class NoAnswerError(ClientError):
    """No answer came in time; the command may be running still."""

    code = "TIMEOUT"


class GivenUpError(ClientError):
    """The user stopped waiting for an answer."""

    exit_code = 130
    code = "INTERRUPTED"


class TooManyRequestsError(ClientError):
    """More requests wait for answers than the client holds."""

    code = "BUSY"


class AuthenticationError(ClientError):
    """The server does not know us."""

    exit_code = 4
    code = "REFUSED"


class TokenWantedError(AuthenticationError):
    """We showed no token, and the server wants one."""


class ClientCertificateError(AuthenticationError):
    """The server wants a certificate of ours, or does not take the one that we showed."""

    code = "CLIENTCERT"


class RevokedError(AuthenticationError):
    """The token, or the certificate that stood in for it, was good and is no longer.

    Attributes:
        reason: `revoked` or `expired`.
    """

    code = "REVOKED"

    def __init__(self, sentence: str, reason: CloseReason = CloseReason.REVOKED) -> None:
        super().__init__(sentence)
        self.reason = reason


def closed_here() -> ConnectionLostError:
    """Return what becomes of a request when the client is closed."""
    return ConnectionLostError(_("The client was closed."))


def given_up() -> ConnectionLostError:
    """Return what becomes of a request that nobody wanted any more before it was sent."""
    return ConnectionLostError(_("The command was given up before it was sent."))


def no_longer_waiting() -> GivenUpError:
    """Return what becomes of waiting for a command that was sent, when somebody has stopped it."""
    return GivenUpError(_("No longer waiting; the command may still run."))


def may_have_run(cause: ClientError) -> OutcomeUnknown:
    """Return what becomes of a request that was sent and not answered."""
    return _sent(_("{cause}; the command was sent and may have run: check before you send it again."), cause)


def broke_off(cause: ClientError) -> OutcomeUnknown:
    """Return what becomes of a request whose streamed answer has no end; it is never repeated."""
    return _sent(
        _("{cause}; the answer broke off, and how the command ended is not known: check before you repeat it."), cause
    )


def job_goes_on(number: int, following: int) -> str:
    """Return the sentence that says how one comes back to a job.

    Args:
        number: the job's.
        following: the number of the next part.
    """
    sentence = _("Job {number} goes on; JOB ATTACH {number} {next} comes back to it.")
    return sentence.format(number=number, next=following)


def spoken(seconds: float) -> str:
    """Return how many seconds a sentence names: whole ones, but of less than ten what was meant, such as `0.3`."""
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2g}"


def lasting(seconds: float) -> str:
    """Return how long a wait is, rounded up, for it ends no sooner: `45 s`, `5 min`, `2 h`."""
    for most, unit, name in ((120, 1, "s"), (7200, 60, "min")):
        if seconds < most:
            return f"{-(-seconds // unit):.0f} {name}"
    return f"{-(-seconds // 3600):.0f} h"


def not_ended(number: int, seconds: float) -> NoAnswerError:
    """Return what to raise where a job was waited for, and goes on."""
    sentence = _("Job {number} has not ended within {seconds} s; it goes on.")
    return NoAnswerError(sentence.format(number=number, seconds=spoken(seconds)))


def no_jobs() -> NoJobsError:
    """Return what to raise where the server does not know the word."""
    return NoJobsError(_("The server knows no jobs: it is older than this client."))


def job_left(cause: ClientError, number: int, following: int) -> ConnectionLostError:
    """Return what becomes of the following of a job where the connection is not replaced."""
    error = ConnectionLostError(f"{str(cause).rstrip('.')}. {job_goes_on(number, following)}", sent=True)
    error.__cause__ = cause
    error.job = number
    return error


def _sent(sentence: str, cause: ClientError) -> OutcomeUnknown:
    error = OutcomeUnknown(sentence.format(cause=str(cause).rstrip(".")), sent=True)
    error.__cause__ = cause
    return error
