"""What the server said when it ended the connection, and what that means to the client."""

import re
from typing import NamedTuple, Self

from secure_client.core.endpoint import Endpoint
from secure_client.errors import (
    SENTENCE_CHARACTERS,
    AuthenticationError,
    BannedError,
    CertificateError,
    ClientError,
    ConnectError,
    ConnectionLostError,
    EndedByServerError,
    RevokedError,
    SetupError,
)
from secure_client.i18n import _
from secure_protocol.errors import ProtocolError
from secure_protocol.printable import printable
from secure_protocol.reasons import CloseReason, Reconnect
from secure_protocol.replies import ErrorReply, Push

PUSH = "closed"
MOST_RETRY_AFTER = 3600.0
"""Seconds: a server may send its clients away for an hour, not for good."""
SENT_AWAY = (CloseReason.KICKED, CloseReason.BANNED)
"""Ends that somebody decided on, who may have said until when."""
MOST_AWAY = 7 * 86400.0
"""Seconds: so long they may send one away; who is to stay away longer is told no moment, and does not wait for it."""

_RETRY_AFTER = r"\bretry-after=(\d{1,9})\b"
_REASON = r"\breason=([a-z-]{1,40})\s*"


class Closing(NamedTuple):
    """An announced end of the connection.

    Attributes:
        reason: a `CloseReason`, or a word that only a newer server knows.
        retry_after: seconds to stay away for, or None.
        sentence: the server's words, printable.
    """

    reason: str
    retry_after: float | None
    sentence: str

    @classmethod
    def from_push(cls, push: Push) -> Self:
        """Read the push `closed <reason> <retry-after or -1> <sentence>`; what is missing is taken as unsaid."""
        reason, retry_after, sentence = (*map(str, push.items[:3]), *("", "", "")[len(push.items[:3]) :])
        seconds = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
        return cls(printable(reason), _bounded(seconds, reason), printable(sentence, SENTENCE_CHARACTERS))

    @classmethod
    def from_error(cls, reply: ErrorReply) -> Self:
        """Read `-CLOSED reason=<reason> retry-after=<n> <sentence>`."""
        found = re.search(_REASON, reply.text)
        reason = found[1] if found else ""
        sentence = re.sub(_REASON, "", re.sub(_RETRY_AFTER, "", reply.text)).strip()
        return cls(reason, retry_after(reply.text, reason), printable(sentence, SENTENCE_CHARACTERS))

    def error(self, endpoint: Endpoint) -> ClientError:
        """Return what to raise, in words for a person."""
        said = f" ({self.sentence.rstrip('.')})" if self.sentence else ""
        if self.reason == CloseReason.REVOKED:
            sentence = _("Your access was revoked at {endpoint}{said}: ask the administrator for a new one.")
            return RevokedError(sentence.format(endpoint=endpoint, said=said))
        if self.reason == CloseReason.EXPIRED:
            sentence = _("Your access to {endpoint} has expired{said}: ask the administrator for a new one.")
            return RevokedError(sentence.format(endpoint=endpoint, said=said), CloseReason.EXPIRED)
        if self.reason == CloseReason.AUTH_FAILED:
            sentence = _("{endpoint} did not let you in{said}: check what you showed, or ask for a new one.")
            return AuthenticationError(sentence.format(endpoint=endpoint, said=said))
        if self.reason == CloseReason.BANNED:
            sentence = _("{endpoint} keeps you out{said}.")
            return BannedError(sentence.format(endpoint=endpoint, said=said), self.reason, self.retry_after)
        if self.reason == CloseReason.KICKED:
            sentence = _("An administrator of {endpoint} ended this session{said}.")
        else:
            sentence = _("{endpoint} ended the connection: {reason}{said}.")
        reason = self.reason or _("no reason given")
        return EndedByServerError(
            sentence.format(endpoint=endpoint, said=said, reason=reason), self.reason, self.retry_after
        )


def retry_after(text: str, reason: str = "") -> float | None:
    """Return the seconds of `retry-after=N` in an error's text, or None; bounded by the reason for it."""
    found = re.search(_RETRY_AFTER, text)
    return _bounded(float(found[1]), reason) if found else None


def sent_away(error: ClientError | None) -> float | None:
    """Return for how many seconds somebody sent us away; None where nobody did, or did not say."""
    is_so = isinstance(error, EndedByServerError) and error.reason in SENT_AWAY
    return error.retry_after if error is not None and is_so else None


def reconnect_policy(error: ClientError) -> Reconnect:
    """Say what to do after `error` ended a connection, or a try at one.

    A refused token is not tried twice: it does not become good by itself, and each try earns a penalty. Nor is a
    certificate that does not check: a person has to look at that. Whoever was told when to come back does so then.
    """
    if isinstance(error, EndedByServerError):
        if error.retry_after is not None:
            return Reconnect.LATER
        known = error.reason in set(CloseReason)
        return CloseReason(error.reason).reconnect if known else Reconnect.LATER
    never = (AuthenticationError, CertificateError, SetupError)
    return Reconnect.NEVER if isinstance(error, never) else Reconnect.LATER


def _bounded(seconds: float | None, reason: str) -> float | None:
    most = MOST_AWAY if reason in SENT_AWAY else MOST_RETRY_AFTER
    return None if seconds is None else min(seconds, most)


def broken(endpoint: Endpoint, why: str) -> ConnectionLostError:
    """Return what to raise where a connection broke, in the operating system's words or in none."""
    sentence = _("The connection to {endpoint} was lost{why}.")
    return ConnectionLostError(sentence.format(endpoint=endpoint, why=f" ({why})" if why else ""))


def unanswered(endpoint: Endpoint) -> ConnectError:
    """Return what to raise where it ended before we were let in."""
    sentence = _(
        "{endpoint} closed the connection before it answered. Check the address and port, and whether it wants a "
        "client certificate (--cert, --key)."
    )
    return ConnectError(sentence.format(endpoint=endpoint))


def unasked(endpoint: Endpoint) -> ConnectionLostError:
    """Return what to raise where answers might be mixed up from here on."""
    return ConnectionLostError(_("{endpoint} sent a reply that nothing had asked for.").format(endpoint=endpoint))


def no_reply(endpoint: Endpoint, error: ProtocolError) -> ConnectionLostError:
    """Return what to raise where what came is none."""
    sentence = _("{endpoint} sent what is no reply: {why}")
    lost = ConnectionLostError(sentence.format(endpoint=endpoint, why=error.sentence(_)))
    lost.__cause__ = error
    return lost
