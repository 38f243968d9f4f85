"""Small values."""

from __future__ import annotations

import copy
import pickle

import pytest

from secure_protocol.limits import AUTHENTICATED, RequestLimits
from secure_protocol.replies import Encoded, ErrorReply, Push, Table, Timestamp
from secure_protocol.value import Value

VALUES = [
    Timestamp(1_700_000_000, 42),
    Table(("a", "b"), [(1, "x")], "none"),
    Push("message", ("b",)),
    Encoded(b"+OK\r\n"),
    ErrorReply("ERR", "No."),
    AUTHENTICATED,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_is_what_it_says(value: Value) -> None:
    """Equal to its like alone, whole after a copy and a pickle, and made anew by what it is shown as."""
    fields = {name: getattr(value, name) for name in value.__match_args__}
    assert value == type(value)(**fields)
    assert value == copy.deepcopy(value) == pickle.loads(pickle.dumps(value))  # noqa: S301 - pickled in this line
    assert repr(value) == f"{type(value).__name__}({', '.join(f'{name}={it!r}' for name, it in fields.items())})"
    assert value != tuple(fields.values())
    assert all(value != other for other in VALUES if other is not value)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_nothing_changes_a_value(value: Value) -> None:
    """Neither what it has, nor by adding to that."""
    for name in (*value.__match_args__, "another"):
        with pytest.raises(AttributeError, match="make another one"):
            setattr(value, name, None)


def test_one_that_is_other_in_a_field() -> None:
    """As `copy.replace` makes it."""
    table = Table(("a",), [(1,)])
    assert table.__replace__(empty="none") == Table(("a",), [(1,)], "none")
    with pytest.raises(TypeError):
        table.__replace__(nothing=1)


def test_a_value_is_a_key_where_its_fields_are() -> None:
    """As of a tuple."""
    assert {ErrorReply("ERR", "a"): 1}[ErrorReply("ERR", "a")] == 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(Table(("a",), [("b",)]))


def test_the_fields_of_a_value_can_be_matched() -> None:
    """By their places."""
    match Push("closed", ("idle",)):
        case Push("closed", (reason,)):
            assert reason == "idle"
        case other:
            pytest.fail(f"{other}")


def test_what_follows_from_the_limits_is_worked_out_once() -> None:
    """It is looked at with each request."""
    limits = RequestLimits(line_bytes=10, arguments=2, argument_bytes=30, request_bytes=20)
    assert (limits.argument_and_request_bytes, limits.weight) == (20, 20 + 64 * 3)
