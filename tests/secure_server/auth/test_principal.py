"""Roles and principals."""

from __future__ import annotations

import os
import sys

import pytest

from secure_server.auth.principal import Principal, Role


def test_roles_are_ordered() -> None:
    """A higher role includes the lower ones, so they compare."""
    assert Role.NOBODY < Role.USER < Role.OPERATOR < Role.ADMIN


@pytest.mark.parametrize("role", Role)
def test_a_role_is_read_as_it_is_written(role: Role) -> None:
    """The label is what people type."""
    assert Role.parse(role.label) is role
    assert role.label == role.label.lower()


@pytest.mark.parametrize("text", ["root", "", "USER", "1", "__class__"])
def test_an_unknown_role_is_refused_with_the_choices(text: str) -> None:
    """The error names what would have been right."""
    with pytest.raises(ValueError, match="nobody, user, operator, admin"):
        Role.parse(text)


def test_the_local_admin_is_named_after_the_account() -> None:
    """Whoever owns the socket's process is admin, under a name that says so."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    import pwd  # noqa: PLC0415 - POSIX only

    name = pwd.getpwuid(os.getuid()).pw_name
    assert Principal.local_admin(os.getuid()) == Principal(f"local:{name}", Role.ADMIN, None, None)


def test_a_uid_without_an_account_names_itself() -> None:
    """Containers run as uids that no account has."""
    assert Principal.local_admin(3_999_999_999).name == "local:3999999999"
