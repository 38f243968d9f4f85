"""What was asked for: as it is kept, compared with a job, and judged once more."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import pytest

from secure_protocol.errors import CommandError
from secure_server.audit.record import Withheld
from secure_server.auth.principal import Role
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.jobs.job import KEPT_BYTES
from secure_server.jobs.order import Order
from tests.secure_server.host import Host
from tests.secure_server.jobs.desk import ADA, job


def takes(
    _context: Context,
    name: str,
    code: Annotated[str, Argument(secret=True)],
    *,
    data: Annotated[str, Argument(longest=1 << 20)] = "",
) -> str:
    """Take a word, a secret, and an option."""
    return name + code + data


@pytest.fixture
def order(host: Host) -> Order:
    """One with all of them."""
    command = host.command("TAKES", takes, job=True)
    return Order.of(host.session(ADA, "127.0.0.1:1"), ADA, command, [b"x", b"hunter2", b"--data", b"y"], key="K")


def test_a_record_has_no_secret_and_nothing_long(order: Order) -> None:
    """What is long has size and hash in its place; nor does anything print them."""
    assert order.kept == (b"x", Withheld(), b"--data", b"y")
    long = b"y" * (KEPT_BYTES + 1)
    assert replace(order, given=[*order.given[:-1], long]).kept[-1] == Withheld.of(long)
    assert replace(order, given=[b"hunter2"]).kept == (Withheld(),), "nobody knows which one it is"
    assert "hunter2" not in repr(order)


def test_a_job_may_be_of_a_start_as_far_as_its_record_tells(order: Order) -> None:
    """The same command, and the same words but for secrets."""
    same = job(command="TAKES", arguments=order.kept)
    assert order.may_have_been(same)
    assert replace(order, given=[b"x", b"other", b"--data", b"y"]).may_have_been(same)
    assert not order.may_have_been(job(command="OTHER", arguments=order.kept))
    for given in ([b"z", b"hunter2", b"--data", b"y"], [b"x", b"hunter2"], [b"x", b"hunter2", b"--data", b"z"]):
        assert not replace(order, given=given).may_have_been(same)


def test_it_goes_by_what_command_and_principal_are_by_then(host: Host, order: Order) -> None:
    """Its words are read anew where the command is another; where it is not, they stay as they were read."""

    def counts(_context: Context, name: str, code: int) -> str:
        return name * code

    def context(asked: Order) -> Context:
        return Context(host.session(ADA, "127.0.0.1:2"), host.services, asked.command)

    admin = replace(ADA, role=Role.ADMIN)
    assert order.again(admin, order.command).principal is admin
    assert order.again(admin, order.command).values is order.values
    other = host.command("COUNTS", counts, job=True)
    asked = replace(order, given=[b"x", b"3"]).again(ADA, other)
    assert (asked.handler(context(asked)), asked.key) == ("xxx", "K")
    with pytest.raises(CommandError):
        order.again(ADA, other)
