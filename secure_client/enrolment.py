"""From a pasted URL to a saved profile that works.

    1. the CA certificate is fetched from whoever answers; nothing is sent but the word CA
    2. its SHA-256 must be the one in the URL
    3. the server must prove itself by that certificate; from here on all is as on every connection
    4. an enrolment token is exchanged for a lasting one
    5. CA, profile and token are saved
    6. the first login with what was saved proves that it works, and spends the enrolment token

Whatever ends it before 6, the same URL does it again: the profile remembers by which token it began.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from secure_client.client import Client
from secure_client.connection.thread import LinkThread
from secure_client.core.endpoint import Endpoint
from secure_client.core.greeting import Greeting
from secure_client.core.login import Login, Mechanism, Session, language_of, parse_token
from secure_client.core.trust import SYSTEM_TRUST, Trust
from secure_client.errors import (
    AuthenticationError,
    CertificateError,
    ClientError,
    CommandFailed,
    ConnectError,
    SetupError,
)
from secure_client.i18n import _
from secure_client.profiles import keyrings, places
from secure_client.profiles.profiles import Profile, Profiles
from secure_client.profiles.target import saved_login
from secure_protocol.enrolment import Enrolment
from secure_protocol.errors import ErrorCode
from secure_protocol.printable import printable
from secure_protocol.replies import ErrorReply
from secure_protocol.token import Token

MOST_CA_BYTES = 64 * 1024
"""Of the CA certificates; one has about 1 KB."""

AGAIN_SECONDS = 1.0
"""Before a refused line is tried again: by then a server knows of what was made beside it, and scripts are faster."""

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted.

    Attributes:
        enrolment: the URL.
        name: of the profile.
        replace: take the place of a profile of that name.
        use_keyring: keep the token there if it works.
        trust: `ca` instead of asking the server for it; certificate and key where the server asks for one.
        mechanism: how the tokens are shown.
    """

    enrolment: Enrolment
    name: str
    replace: bool = False
    use_keyring: bool = True
    trust: Trust = SYSTEM_TRUST
    mechanism: Mechanism = Mechanism.SCRAM

    @property
    def endpoint(self) -> Endpoint:
        """The server."""
        return Endpoint(self.enrolment.host, self.enrolment.port)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What was done: the saved profile, and what its first login showed."""

    profile: Profile
    session: Session


def enrol(wish: Wish, profiles: Profiles, tell: Callable[[str], None]) -> Enrolled:
    """Do all of it.

    Args:
        wish: what is wanted.
        profiles: where it is saved.
        tell: called with a sentence that a person should know.

    Raises:
        SetupError: the name is taken or none, or nothing can be saved there; nothing was sent.
        CertificateError: the CA is another than the URL's.
        AuthenticationError: the line is not good any more.
        ClientError: there is no connection.
    """
    profiles.check_name(wish.name)
    previous = profiles.load().get(wish.name)
    begun = previous is not None and previous.enrolment == wish.enrolment.token.id
    if previous is not None and begun:
        with contextlib.suppress(AuthenticationError):  # then the exchange was not completed: from the start
            return _complete(wish, profiles, previous)
    if previous is not None and not (begun or wish.replace):
        sentence = _(
            "There is a profile `{name}` already, and nothing was sent: "
            "choose another name with --name, or replace it with --force."
        )
        raise SetupError(sentence.format(name=wish.name))
    pinned = _pinned(wish)
    try:
        got = _exchange(wish, pinned)
    except AuthenticationError:
        time.sleep(AGAIN_SECONDS)
        got = _exchange(wish, pinned)  # the same secret again earns no penalty
    return _save(wish, profiles, previous, got, tell)


def certificates_of(pem: str) -> list[str]:
    """Return the certificates of a bundle, each as PEM; what else is in it is left out."""
    return _PEM.findall(pem.replace("\r\n", "\n"))


def fingerprint(certificate: str) -> bytes:
    """Return the SHA-256 of a certificate's DER; empty for what is none."""
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).digest()
    except ValueError:
        return b""


# -- before anybody is trusted ---------------------------------------------------------------------------------------


def _pinned(wish: Wish) -> str:
    """Return the certificate that the URL means."""
    bundle = _read(wish.trust.ca) if wish.trust.ca is not None else _ask_stranger(wish.endpoint)
    for certificate in certificates_of(bundle):
        if hmac.compare_digest(fingerprint(certificate), wish.enrolment.pin):
            return certificate
    sentence = _(
        "STOPPED: the CA certificate of {endpoint} is not the one that the line names. Either somebody sits between "
        "you and the server, or its CA was made anew after the line. Neither the token nor anything else was sent, "
        "and nothing was saved. Ask the administrator, by another way than this network, and for a new line."
    )
    raise CertificateError(sentence.format(endpoint=wish.endpoint))


def _ask_stranger(endpoint: Endpoint) -> str:
    """Ask whoever answers for the CA certificates: what comes is worth nothing until it was compared with the pin.

    The only place where a certificate is not checked. Nothing but the word CA is ever sent on this connection.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    replies: list[object] = []

    def ask(_login: Login, _certificate: bytes | None) -> Greeting:
        replies.append((yield ["CA"]))
        return Session.from_wire(None)

    link = LinkThread(Login(endpoint=endpoint), reconnect=False, greeting=ask, context=context)
    link.connect()
    link.stop()
    (reply,) = replies
    if isinstance(reply, ErrorReply):
        said = f"{printable(reply.code)} {printable(reply.text, 500)}"
        if reply.code == ErrorCode.NOAUTH:
            sentence = _("{endpoint} runs a version that enrols nobody: update the server.")
        else:
            sentence = _("{endpoint} gives out no CA certificate, it answered: {said}")
        raise ConnectError(sentence.format(endpoint=endpoint, said=said))
    return _text(reply)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return _text(file.read(MOST_CA_BYTES))
    except OSError as error:
        sentence = _("Cannot read the CA file {path}: {why}.")
        raise SetupError(sentence.format(path=path, why=error.strerror)) from None


def _text(data: object) -> str:
    if isinstance(data, bytes):
        data = data.decode("ascii", "replace")
    return data[:MOST_CA_BYTES] if isinstance(data, str) else ""


# -- with the server proved ------------------------------------------------------------------------------------------


def _exchange(wish: Wish, pinned: str) -> tuple[Token, str]:
    """Return the token to keep, and all CA certificates that the server gives out now, the pinned one first."""
    with _file_with(pinned) as ca:
        login = Login(
            wish.endpoint,
            wish.trust._replace(ca=ca),
            wish.enrolment.token,
            language=language_of(),
            mechanism=wish.mechanism,
        )
        try:
            with Client.of(login, reconnect=False) as client:
                given = client.execute("ENROLL")
                others = certificates_of(_text(_authorities(client)))
        except AuthenticationError:
            raise _refused(wish.endpoint) from None
        except CommandFailed as error:
            raise _refused(wish.endpoint) if error.code == ErrorCode.WRONGPASS else error from None
    token = parse_token(given) if isinstance(given, str) else wish.enrolment.token
    return token, "".join(dict.fromkeys([pinned, *others]))


def _authorities(client: Client) -> object:
    try:
        return client.execute("CA")
    except CommandFailed:  # what was pinned is enough
        return ""


def _refused(endpoint: Endpoint) -> AuthenticationError:
    sentence = _(
        "{endpoint} does not take this line: it was used already, has expired or was revoked. Nothing was saved. "
        "Ask the administrator for a new one (secure-server token create NAME --enroll --once)."
    )
    return AuthenticationError(sentence.format(endpoint=endpoint))


@contextlib.contextmanager
def _file_with(pem: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="secure-client-") as directory:
        path = Path(directory) / "ca.pem"
        path.write_text(pem, encoding="ascii")
        yield path


# -- to the disk -----------------------------------------------------------------------------------------------------


def _save(
    wish: Wish, profiles: Profiles, previous: Profile | None, got: tuple[Token, str], tell: Callable[[str], None]
) -> Enrolled:
    """Save all, and log in with it; what does not work leaves what was there before."""
    token, bundle = got
    ca = places.config_directory() / f"ca-{wish.enrolment.pin.hex()[:16]}.pem"
    had_ca, kept = ca.exists(), wish.use_keyring and _in_keyring(token, tell)
    profile = Profile(
        endpoint=str(wish.endpoint),
        ca=os.path.abspath(ca),  # noqa: PTH100 - not Path.resolve: a link may be there so that its target can change
        token=None if kept else token.reveal(),
        keyring=token.id if kept else None,
        certificate=_absolute(wish.trust.certificate),
        key=_absolute(wish.trust.key),
        mechanism=wish.mechanism,
        enrolment=wish.enrolment.token.id,
    )
    try:
        _write(ca, bundle)
        profiles.add(wish.name, profile)
    except BaseException:
        _drop(token if kept else None, None if had_ca else ca)
        raise
    try:
        enrolled = _complete(wish, profiles, profile)
    except AuthenticationError:
        # Somebody with the same line was faster.
        mine = previous is not None and previous.enrolment == wish.enrolment.token.id
        profiles.restore(wish.name, None if mine else previous)
        _drop(token if kept else None, None if had_ca else ca)
        raise _refused(wish.endpoint) from None
    except ClientError as error:
        sentence = _("The profile `{name}` is saved but did not work yet; paste the line again to complete it.")
        tell(sentence.format(name=wish.name))
        raise error from None
    if previous is not None and previous.keyring not in (None, token.id):
        keyrings.forget(str(previous.keyring))
    return enrolled


def _complete(wish: Wish, profiles: Profiles, profile: Profile) -> Enrolled:
    """Log in with a saved profile, whose first login spends the enrolment token, and mark it as complete."""
    with Client.of(saved_login(profile), reconnect=False) as client:
        session = client.status.session
    done = profile.replace(enrolment=None)
    profiles.add(wish.name, done)
    return Enrolled(done, session or Session.from_wire(None))


def _in_keyring(token: Token, tell: Callable[[str], None]) -> bool:
    try:
        return keyrings.keep(token)
    except keyrings.KeyringUnusableError as error:
        sentence = _("The system's keyring does not work ({why}): the token goes into the profile, for you alone.")
        tell(sentence.format(why=error))
        return False


def _drop(token: Token | None, ca: Path | None) -> None:
    if token is not None:
        keyrings.forget(token.id)
    if ca is not None:
        with contextlib.suppress(OSError):
            ca.unlink()


def _write(path: Path, text: str) -> None:
    try:
        places.write_private(path, text.encode("ascii"))
    except OSError as error:
        raise SetupError(_("Cannot write {path}: {why}.").format(path=path, why=error.strerror)) from None


def _absolute(path: Path | None) -> str | None:
    return os.path.abspath(path.expanduser()) if path is not None else None  # noqa: PTH100 - as above
