"""The system's keyring: used where it works, done without where it does not."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from secure_client.errors import AuthenticationError
from secure_client.profiles import keyrings
from secure_protocol.token import Token


class Backend(ModuleType):
    """What the package `keyring` offers, in memory.

    Args:
        fault: what every call raises.
        forgetful: takes everything and keeps nothing, as the backend `null` does.
    """

    def __init__(self, fault: Exception | None = None, *, forgetful: bool = False) -> None:
        super().__init__("keyring")
        self.kept: dict[tuple[str, str], str] = {}
        self._fault = fault
        self._forgetful = forgetful

    def set_password(self, service: str, name: str, password: str) -> None:
        """Keep one."""
        if self._fault is not None:
            raise self._fault
        if not self._forgetful:
            self.kept[service, name] = password

    def get_password(self, service: str, name: str) -> str | None:
        """Give one out."""
        if self._fault is not None:
            raise self._fault
        return self.kept.get((service, name))

    def delete_password(self, service: str, name: str) -> None:
        """Forget one."""
        if self._fault is not None:
            raise self._fault
        del self.kept[service, name]


def test_a_token_is_kept_given_out_and_forgotten(monkeypatch: pytest.MonkeyPatch, token: Token) -> None:
    """Under its id, whole."""
    backend = Backend()
    monkeypatch.setitem(sys.modules, "keyring", backend)
    assert keyrings.keep(token)
    assert backend.kept == {("secure-client", token.id): token.reveal()}
    assert keyrings.fetch(token.id) == token
    keyrings.forget(token.id)
    keyrings.forget(token.id)
    with pytest.raises(AuthenticationError, match="has no token"):
        keyrings.fetch(token.id)


def test_without_the_package_there_is_no_keyring(monkeypatch: pytest.MonkeyPatch, token: Token) -> None:
    """Saving does without; a profile whose token is there says what is missing."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert not keyrings.keep(token)
    keyrings.forget(token.id)
    with pytest.raises(AuthenticationError, match="pip install keyring"):
        keyrings.fetch(token.id)


@pytest.mark.parametrize(
    "backend", [Backend(RuntimeError("scs_ secret")), Backend(forgetful=True)], ids=["raises", "forgets"]
)
def test_one_that_does_not_work_is_found_out(monkeypatch: pytest.MonkeyPatch, token: Token, backend: Backend) -> None:
    """Before anybody relies on it; what it says stays out of our sentence, for who knows what it quotes."""
    monkeypatch.setitem(sys.modules, "keyring", backend)
    with pytest.raises(keyrings.KeyringUnusableError) as caught:
        keyrings.keep(token)
    assert "scs_" not in str(caught.value)
    with pytest.raises(AuthenticationError) as refused:
        keyrings.fetch(token.id)
    assert "scs_" not in str(refused.value)
    keyrings.forget(token.id)
