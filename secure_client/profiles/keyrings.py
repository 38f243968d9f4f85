"""Tokens in the operating system's keyring, where the package `keyring` (an extra of ours) is installed and works."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

from secure_client.core.login import parse_token
from secure_client.errors import AuthenticationError
from secure_client.i18n import _
from secure_protocol.token import Token

SERVICE = "secure-client"
"""What the keyring files our tokens under, each by its id."""


class KeyringUnusableError(Exception):
    """The package is installed, and its keyring does not keep a token; the text is the kind of error, no secret."""


def keep(token: Token) -> bool:
    """Put a token there; whether there is a keyring at all.

    Raises:
        KeyringUnusableError: there is, and it does not work.
    """
    keyring = _keyring()
    if keyring is None:
        return False
    try:
        keyring.set_password(SERVICE, token.id, token.reveal())
        kept = keyring.get_password(SERVICE, token.id)
    except Exception as error:  # noqa: BLE001 - each backend raises its own, and a file does as well
        raise KeyringUnusableError(type(error).__name__) from None
    if kept != token.reveal():  # the backend `null` takes all and keeps nothing
        raise KeyringUnusableError(_("it forgets what it is given"))
    return True


def fetch(token_id: str) -> Token:
    """Return the token with that id.

    Raises:
        AuthenticationError: the keyring does not give it out.
    """
    keyring = _keyring()
    if keyring is None:
        raise AuthenticationError(
            _("The token is in the system's keyring, and the package `keyring` is not installed: pip install keyring.")
        )
    try:
        text = keyring.get_password(SERVICE, token_id)
    except Exception as error:  # noqa: BLE001 - as above
        sentence = _("The system's keyring does not give out the token ({why}): unlock it, or enrol anew.")
        raise AuthenticationError(sentence.format(why=type(error).__name__)) from None
    if not isinstance(text, str):
        sentence = _("The system's keyring has no token {id} any more: enrol anew, or save another with --save-token.")
        raise AuthenticationError(sentence.format(id=token_id))
    return parse_token(text)


def forget(token_id: str) -> None:
    """Remove a token, if it is there and the keyring lets us."""
    keyring = _keyring()
    if keyring is not None:
        with contextlib.suppress(Exception):  # as above; what stays there is of no use without its profile
            keyring.delete_password(SERVICE, token_id)


def _keyring() -> Any:  # noqa: ANN401 - a module that need not be installed, so no checker knows its type
    """Return the package, which is optional and slow to import; None where it is not there."""
    try:
        return importlib.import_module("keyring")
    except Exception:  # noqa: BLE001 - not there, or broken in any way that an installation can be
        return None
