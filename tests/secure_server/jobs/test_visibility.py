"""Who may see a job, who started it, and whether that is good still."""

from __future__ import annotations

import time
from unittest import mock

import pytest

from secure_server.auth.admin_networks import AdminNetworks
from secure_server.auth.certificates import CertificateAuthenticator, Grant
from secure_server.auth.principal import Principal, Role
from secure_server.jobs.job import Job
from secure_server.jobs.present import is_revoked, present
from secure_server.jobs.unattended import Unattended
from secure_server.jobs.visibility import may_see
from tests.secure_server.host import Host
from tests.secure_server.jobs.desk import job


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        (None, False),
        (Principal("ada", Role.USER, None, None), True),
        (Principal("grace", Role.USER, None, None), False),
        (Principal("ada", Role.USER, None, frozenset({"Y"})), False),
        (Principal("grace", Role.OPERATOR, None, None), True),
        (Principal("grace", Role.OPERATOR, None, frozenset({"Y"})), False),
        (Principal("grace", Role.OPERATOR, None, frozenset({"X"})), True),
        (Principal("root", Role.ADMIN, None, None), True),
        (Principal("root", Role.ADMIN, None, frozenset({"Y"})), False),
    ],
)
def test_who_sees_what(host: Host, who: Principal | None, *, sees: bool) -> None:
    """Users their own, operators those of commands that they may run, administrators all."""
    host.command("X", lambda _context: None, job=True)
    assert may_see(who, job(1), host.registry.named) is sees


def test_a_command_that_is_gone(host: Host) -> None:
    """Its jobs are administrators' business."""
    assert not may_see(Principal("ada", Role.OPERATOR, None, None), job(1), host.registry.named)
    assert may_see(Principal("root", Role.ADMIN, None, None), job(1), host.registry.named)


HERE = AdminNetworks(["127.0.0.0/8"])
"""Where admins are such."""


def certificates(host: Host) -> CertificateAuthenticator:
    """With one name that has a role."""
    return CertificateAuthenticator(host._storage, {"alice": Grant(Role.OPERATOR)})


def test_a_token_is_good_until_it_is_revoked(host: Host) -> None:
    """Another one of the same name stands for one that was rotated, not for what was started with a revoked one."""
    token = host.token("ada")
    started: Job = job(1, token_id=token.id, address="127.0.0.1:5")
    nobody = certificates(host)
    found = present(started, host.authenticator, nobody, HERE)
    assert found is not None
    assert (found.name, found.token_id) == ("ada", token.id)
    assert not is_revoked(started, host.authenticator, nobody)
    host.revoke("ada")
    assert present(started, host.authenticator, nobody, HERE) is None
    assert is_revoked(started, host.authenticator, nobody)


def test_a_token_that_was_cleared_away_after_its_end_was_not_revoked(host: Host) -> None:
    """Its jobs go on, as they did when it expired, whoever else is revoked then."""
    token = host.tokens.create("brief", Role.USER, 1.0)
    host.authenticator.reload()
    with mock.patch.object(host.tokens, "_clock", return_value=time.time() + 10):
        assert [record.id for record in host.tokens.purge()] == [token.id]
    host.authenticator.reload()
    assert host.authenticator.state(token.id) is None
    assert not is_revoked(job(1, token_id=token.id), host.authenticator, certificates(host))


def test_what_waits_is_judged_by_where_it_was_started_from(host: Host) -> None:
    """An admin outside the networks started it as an operator, and it is no more than that when its turn comes."""
    token = host.token("ada", Role.ADMIN)
    for address, role in (("127.0.0.1:5", Role.ADMIN), ("192.0.2.7:5", Role.OPERATOR)):
        found = present(job(1, token_id=token.id, address=address), host.authenticator, certificates(host), HERE)
        assert found is not None
        assert found.role is role


def test_whoever_owns_the_server_needs_neither(host: Host) -> None:
    """The admin socket."""
    found = present(job(1, principal="local:root"), host.authenticator, certificates(host), HERE)
    assert found is not None
    assert found.role is Role.ADMIN
    assert not is_revoked(job(1), host.authenticator, certificates(host))


def test_what_stands_for_a_session_explains_itself() -> None:
    """A handler that wants one learns what to use instead."""
    stand_in = Unattended(None, "en", "unix")
    with pytest.raises(AttributeError, match=r"a job has no session, and so no session.close"):
        stand_in.close()  # type: ignore[operator] # as it says
    assert stand_in.language == "en"
