"""Saved servers: `profiles.json`, readable by its user alone."""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from secure_client.core.endpoint import TransportChoice
from secure_client.core.login import Mechanism
from secure_client.errors import SetupError
from secure_client.i18n import _
from secure_client.profiles import places
from secure_client.profiles.turns import turn
from secure_protocol.printable import printable
from secure_protocol.value import Value, put

FILE_NAME = "profiles.json"
MOST_BYTES = 1024 * 1024
"""Of the file; thousands of profiles."""

RESERVED = frozenset({"profile", "enroll", "run", "attach", "jobs", "watch", "completion", "help"})
"""Words that come first on the command line, or may once, and win over profiles there."""

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"


class Profile(Value):
    """A saved server.

    Attributes:
        endpoint: as `Endpoint.parse` reads it.
        ca: PEM file of the CAs to believe.
        token: the token itself; `repr` hides it.
        token_file: a file that holds it.
        certificate: the client's own.
        key: its key.
        mechanism: how the token is shown.
        keyring: the id of the token that is in the system's keyring.
        enrolment: the id of the token that it was made from, until its first login; see `secure_client.enrolment`.
        default: it is meant where no server is named; of one profile at most.
        transport: by what to connect.
    """

    endpoint: str
    ca: str | None
    token: str | None
    token_file: str | None
    certificate: str | None
    key: str | None
    mechanism: Mechanism
    keyring: str | None
    enrolment: str | None
    default: bool
    transport: TransportChoice
    __match_args__ = (
        *("endpoint", "ca", "token", "token_file", "certificate", "key"),
        *("mechanism", "keyring", "enrolment", "default", "transport"),
    )
    __slots__ = __match_args__

    def __init__(  # noqa: PLR0917 - the fields, in their order
        self,
        endpoint: str,
        ca: str | None = None,
        token: str | None = None,
        token_file: str | None = None,
        certificate: str | None = None,
        key: str | None = None,
        mechanism: Mechanism = Mechanism.SCRAM,
        keyring: str | None = None,
        enrolment: str | None = None,
        default: bool = False,  # noqa: FBT001, FBT002 - given by its name
        transport: TransportChoice = TransportChoice.TLS,
    ) -> None:
        put(self, "endpoint", endpoint)
        put(self, "ca", ca)
        put(self, "token", token)
        put(self, "token_file", token_file)
        put(self, "certificate", certificate)
        put(self, "key", key)
        put(self, "mechanism", mechanism)
        put(self, "keyring", keyring)
        put(self, "enrolment", enrolment)
        put(self, "default", default)
        put(self, "transport", transport)

    @classmethod
    def from_json(cls, table: object) -> Self:
        """Read a profile as it is saved.

        Raises:
            ValueError: it is none. The text names keys, and repeats no value: that may be a token.
        """
        if not isinstance(table, dict) or "endpoint" not in table:
            raise ValueError(_("a profile is a table with an endpoint"))
        known = set(cls.__match_args__)
        for key, value in table.items():
            if key not in known:
                raise ValueError(_("a profile has no `{key}`").format(key=printable(key)))
            if not isinstance(value, bool if key == "default" else str):
                raise ValueError(_("`{key}` of a profile is of another type").format(key=key))  # noqa: TRY004 - see above
        chosen: dict[str, Any] = {"mechanism": Mechanism.SCRAM, "transport": TransportChoice.TLS} | table
        for key, choices in (("mechanism", Mechanism), ("transport", TransportChoice)):
            if chosen[key] not in set(choices):
                raise ValueError(_("`{key}` of a profile is none").format(key=key))
            chosen[key] = choices(chosen[key])
        return cls(**chosen)

    def to_json(self) -> dict[str, str | bool]:
        """Return it as it is saved: what it does not say is left out."""
        said = {name: value for name, value in self.fields().items() if value not in (None, False)}
        if self.mechanism is Mechanism.SCRAM:
            del said["mechanism"]
        if self.transport is TransportChoice.TLS:
            del said["transport"]
        return said

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.fields().items() if name != "token")
        return f"Profile({shown})"

    @property
    def token_source(self) -> str:
        """Where the token comes from, in words."""
        if self.token is not None:
            return _("saved here")
        if self.keyring is not None:
            return _("in the keyring")
        return self.token_file or (_("certificate") if self.certificate is not None else _("asked for"))


def _profiles(data: bytes) -> dict[str, Profile]:
    if len(data) > MOST_BYTES:
        raise ValueError(_("it is too long"))
    tables = json.loads(data)
    if not isinstance(tables, dict):
        raise ValueError(_("it is no table of profiles"))  # noqa: TRY004 - as all that is wrong with it
    return {name: Profile.from_json(table) for name, table in tables.items()}


def is_name(name: str) -> bool:
    """Whether a profile may be called so."""
    return re.fullmatch(_NAME, name) is not None


def no_profile(name: str) -> SetupError:
    """Return what to raise where a profile is not there."""
    sentence = _("There is no profile `{name}`; `secure-client profile list` shows all.")
    return SetupError(sentence.format(name=printable(name)))


class Profiles:
    """The file of profiles.

    Args:
        directory: where it is; None for the user's own place.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory or places.config_directory()

    @property
    def path(self) -> Path:
        """The file."""
        return self._directory / FILE_NAME

    def load(self) -> dict[str, Profile]:
        """Return all profiles by name; none where there is no file yet.

        Raises:
            SetupError: the file cannot be read, or is none of ours.
        """
        try:
            places.check_private(self._directory)
            with self.path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise SetupError(_("Cannot read {path}: {why}.").format(path=self.path, why=error.strerror)) from None
        try:
            return _profiles(data)
        except (ValueError, RecursionError) as error:  # of json's own, too, whose texts name places, and no values
            sentence = _("{path} is damaged ({why}): mend it, or remove it and add the profiles anew.")
            raise SetupError(sentence.format(path=self.path, why=error)) from None

    def add(self, name: str, profile: Profile) -> None:
        """Save a profile, in place of one of that name; it stays the default if that was it.

        Raises:
            SetupError: the name is none, or the file cannot be written.
        """
        self.check_name(name)
        with self._changing() as profiles:
            previous = profiles.get(name)
            profiles[name] = profile.replace(default=previous is not None and previous.default)

    def set_default(self, name: str | None) -> None:
        """Have the profile of that name be the default; None: none is.

        Raises:
            SetupError: there is none of that name, or the file cannot be written.
        """
        with self._changing() as profiles:
            if name is not None and name not in profiles:
                raise no_profile(name)
            for each, profile in profiles.items():
                profiles[each] = profile.replace(default=each == name)

    def check_name(self, name: str) -> None:
        """Refuse what no profile may be called.

        Raises:
            SetupError: it is none.
        """
        if not is_name(name):
            sentence = _("`{name}` is no name for a profile: use letters, digits, `.`, `-` and `_`.")
            raise SetupError(sentence.format(name=printable(name)))
        if name in RESERVED:
            sentence = _("`{name}` is a word of secure-client itself, and no name for a profile: choose another.")
            raise SetupError(sentence.format(name=name))

    def restore(self, name: str, previous: Profile | None) -> None:
        """Have a profile as it was before; None where there was none.

        Raises:
            SetupError: the file cannot be written.
        """
        with self._changing() as profiles:
            profiles.pop(name, None)
            if previous is not None:
                profiles[name] = previous

    def remove(self, name: str) -> None:
        """Forget a profile.

        Raises:
            SetupError: there is none of that name, or the file cannot be written.
        """
        with self._changing() as profiles:
            if profiles.pop(name, None) is None:
                raise no_profile(name)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, Profile]]:
        """All profiles, to be changed in the block and saved behind it; no other program changes them meanwhile."""
        with contextlib.ExitStack() as stack:
            try:
                places.make_private_directory(self._directory)
                stack.enter_context(turn(self._directory))
            except TimeoutError:
                sentence = _("Another program has been changing {path} all the while; wait for it, then try again.")
                raise SetupError(sentence.format(path=self.path)) from None
            except OSError as error:
                raise self._unwritable(error) from None
            profiles = self.load()
            yield profiles
            self._save(profiles)

    def _save(self, profiles: dict[str, Profile]) -> None:
        saved = {name: profile.to_json() for name, profile in sorted(profiles.items())}
        data = json.dumps(saved, indent=2).encode("ascii") + b"\n"  # also where a path is no UTF-8 (PEP 383)
        try:
            places.write_private(self.path, data)
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> SetupError:
        return SetupError(_("Cannot write {path}: {why}.").format(path=self.path, why=error.strerror))
