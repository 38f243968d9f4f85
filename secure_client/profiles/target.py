"""From what was typed to where to connect, whom to believe and which token to show."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from secure_client.core.endpoint import DEFAULT_HOST, DEFAULT_PORT, Endpoint, TransportChoice
from secure_client.core.login import Login, Mechanism, language_of, parse_token
from secure_client.core.trust import Trust
from secure_client.errors import AuthenticationError, SetupError
from secure_client.i18n import _
from secure_client.profiles.profiles import Profile, Profiles, no_profile
from secure_protocol.printable import printable
from secure_protocol.token import Token

TOKEN_VARIABLE = "SECURE_CLIENT_TOKEN"  # noqa: S105 - the variable's name, not a token
DEFAULT_CA = Path("certs/ca.pem")
"""Where `secure-server certs ensure` writes it; good for those who run both from one checkout."""
MOST_TOKEN_BYTES = 4096
"""Read of a token file; a token has 63."""


class Options(NamedTuple):
    """What the command line said; None where it said nothing.

    Attributes:
        target: a profile's name, or an endpoint.
        ca: PEM file of the CAs to believe.
        token_file: a file that holds the token.
        certificate: the client's own.
        key: its key.
        mechanism: how the token is shown.
        profile: a profile's name, and nothing else.
        transport: by what to connect.
    """

    target: str | None = None
    ca: Path | None = None
    token_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    mechanism: Mechanism | None = None
    profile: str | None = None
    transport: TransportChoice | None = None


def resolve(options: Options, profiles: Profiles, environment: Mapping[str, str] = os.environ) -> Login:
    """Put together what the command line, the environment and the profiles say, in that order of weight.

    Args:
        options: the command line's.
        profiles: the saved servers.
        environment: may name a token.

    Raises:
        SetupError: no server, or one that cannot be.
        AuthenticationError: no token, or none that can be.
    """
    name, profile = _profile(options, profiles)
    endpoint, transport = Endpoint.parse(profile.endpoint).split(options.transport)
    trust = Trust(
        ca=options.ca or _path(profile.ca) or (DEFAULT_CA if DEFAULT_CA.exists() else None),
        certificate=options.certificate or _path(profile.certificate),
        key=options.key or (_path(profile.key) if options.certificate is None else None),
    )
    token = None if endpoint.path is not None else _token(options, profile, endpoint, trust, environment)
    mechanism = options.mechanism or profile.mechanism
    return Login(
        endpoint=endpoint,
        trust=trust,
        token=token,
        language=language_of(),
        mechanism=mechanism,
        profile=name,
        transport=transport or profile.transport,
    )


def saved_login(profile: Profile) -> Login:
    """Return what a profile alone says, whatever the environment does.

    Raises:
        SetupError: its server cannot be.
        AuthenticationError: its token cannot be had.
    """
    trust = Trust(_path(profile.ca), _path(profile.certificate), _path(profile.key))
    endpoint, transport = Endpoint.parse(profile.endpoint).split(None)
    return Login(
        endpoint,
        trust,
        _saved_token(profile),
        language=language_of(),
        mechanism=profile.mechanism,
        transport=transport or profile.transport,
    )


def login_of(name: str) -> Login:
    """Return what a saved profile alone says; see `saved_login`.

    Raises:
        SetupError: there is none of that name, or it cannot be used.
        AuthenticationError: its token cannot be had.
    """
    saved = Profiles().load()
    if name not in saved:
        raise no_profile(name)
    return saved_login(saved[name])._replace(profile=name)


def endpoint_of(target: str | None, profiles: Profiles) -> Endpoint:
    """Return the server that a word on the command line means.

    Raises:
        SetupError: it means none.
    """
    return Endpoint.parse(_profile(Options(target), profiles)[1].endpoint).split(None)[0]


def _profile(options: Options, profiles: Profiles) -> tuple[str, Profile]:
    """Return the profile that is meant, with its name; one that is not saved has none."""
    target = options.target
    if options.profile is not None:
        saved = profiles.load()
        if options.profile not in saved:
            raise no_profile(options.profile)
        return options.profile, saved[options.profile]
    if target is None:
        return _unnamed(profiles.load())
    try:
        saved = profiles.load()
    except SetupError:
        if _is_address(target):  # which needs none
            return "", Profile(endpoint=target)
        raise
    if target in saved:
        return target, saved[target]
    return _of_address(target, saved)


def _unnamed(saved: Mapping[str, Profile]) -> tuple[str, Profile]:
    """Return the profile that is meant where none is named: the only one, or the default."""
    chosen = {name: profile for name, profile in saved.items() if profile.default or len(saved) == 1}
    if saved and not chosen:
        names = ", ".join(saved)
        sentence = _(
            "Which server? Name a profile ({names}) or HOST:PORT, as in `secure-client {first}`, or choose one for "
            "good with `secure-client profile default {first}`."
        )
        raise SetupError(sentence.format(names=names, first=next(iter(saved))))
    return next(iter(chosen.items()), ("", Profile(endpoint=f"{DEFAULT_HOST}:{DEFAULT_PORT}")))


def _of_address(target: str, saved: Mapping[str, Profile]) -> tuple[str, Profile]:
    """Return the profile of the server at an address; two of them are an error."""
    address, _transport = Endpoint.parse(target).split(None)
    found = [name for name, profile in saved.items() if _endpoint(profile) == address]
    if len(found) > 1:
        sentence = _("Several profiles are of {endpoint}: name one of them ({names}).")
        raise SetupError(sentence.format(endpoint=address, names=", ".join(map(printable, found))))
    if not found:
        return "", Profile(endpoint=target)
    named = saved[found[0]]
    return found[0], named.replace(endpoint=target)  # by what to connect may be said with it


def _endpoint(profile: Profile) -> Endpoint | None:
    try:
        return Endpoint.parse(profile.endpoint).split(None)[0]
    except SetupError:  # said when it is used
        return None


def _is_address(target: str) -> bool:
    return target == "localhost" or any(sign in target for sign in ":.")


def _token(
    options: Options, profile: Profile, endpoint: Endpoint, trust: Trust, environment: Mapping[str, str]
) -> Token | None:
    if options.token_file is not None:
        return read_token(options.token_file)
    if text := environment.get(TOKEN_VARIABLE):
        return parse_token(text)
    token = _saved_token(profile)
    if token is None and trust.certificate is None:  # it may stand in for one; where the server wants both, it says so
        token = parse_token(ask_token(endpoint))
    return token


def _saved_token(profile: Profile) -> Token | None:
    if profile.token is not None:
        return parse_token(profile.token)
    if profile.keyring is not None:
        from secure_client.profiles import keyrings  # noqa: PLC0415 - brings the system's, and few profiles have their token there

        return keyrings.fetch(profile.keyring)
    if profile.token_file is not None:
        return read_token(Path(profile.token_file))
    return None


def read_token(path: Path) -> Token:
    """Read a token from a file.

    Raises:
        AuthenticationError: there is none in it.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MOST_TOKEN_BYTES).decode("ascii", "replace")
    except OSError as error:
        sentence = _("Cannot read the token file {path}: {why}.")
        raise AuthenticationError(sentence.format(path=path, why=error.strerror)) from None
    try:
        return parse_token(text)
    except AuthenticationError as error:
        raise AuthenticationError(f"{path}: {error}") from None


def ask_token(endpoint: Endpoint) -> str:
    """Ask for the token without showing it; `getpass` hides it on every terminal, also where TERM=dumb.

    Raises:
        AuthenticationError: there is no terminal to ask on, or nothing was typed.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        sentence = _("No token for {endpoint}: set {variable}, give --token-file FILE, or save it in a profile.")
        raise AuthenticationError(sentence.format(endpoint=endpoint, variable=TOKEN_VARIABLE))
    from getpass import getpass  # noqa: PLC0415 - needed only here

    try:
        text = getpass(_("Token for {endpoint}:").format(endpoint=endpoint) + " ", sys.stderr)
    except EOFError:
        text = ""
    if not text.strip():
        raise AuthenticationError(_("No token was typed; nothing was sent to the server."))
    return text


def _path(text: str | None) -> Path | None:
    return Path(text) if text is not None else None
