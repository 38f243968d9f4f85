"""What `COMMANDS` says of a command survives the wire, from newer servers and older ones too."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.replies import ReplyKind
from secure_protocol.resp_encoding import encode
from secure_protocol.resp_replies import ReplyDecoder

text = st.text(max_size=8)
texts = st.lists(text, max_size=3).map(tuple)
bounds = st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
arguments = st.builds(
    ArgumentDescription,
    name=st.text(min_size=1, max_size=8),
    type=text,
    choices=texts,
    optional=st.booleans(),
    variadic=st.booleans(),
    flag=st.booleans(),
    summary=text,
    default=text,
    minimum=bounds,
    maximum=bounds,
    pattern=text,
    secret=st.booleans(),
    file=st.booleans(),
)
descriptions = st.builds(
    CommandDescription,
    name=st.text(min_size=1, max_size=8),
    summary=text,
    role=text,
    arguments=st.lists(arguments, max_size=3).map(tuple),
    idempotent=st.booleans(),
    reply=st.sampled_from(ReplyKind),
    form=text,
    columns=texts,
    empty=text,
    unmatched=text,
    pages=text,
    minor=texts,
    confirm=text,
    danger=st.booleans(),
    job=st.booleans(),
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(["name", "arguments", "choices", "columns", "reply"]) | text, inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(descriptions, st.sampled_from([2, 3]))
@example(CommandDescription("A", arguments=(ArgumentDescription("n", maximum=2**63 + 1),)), 2)
def test_round_trip_through_both_versions(description: CommandDescription, version: int) -> None:
    """A description comes back equal over RESP3 maps and RESP2's flat arrays."""
    decoder = ReplyDecoder()
    decoder.feed(encode(description.to_wire(), version))
    assert [CommandDescription.from_wire(wire) for wire in decoder.decode()] == [description]


@given(descriptions, st.dictionaries(st.text(min_size=20, max_size=22), plain, max_size=3))
def test_what_a_newer_server_adds_is_ignored(description: CommandDescription, more: dict[str, object]) -> None:
    """Fields that we do not know change nothing."""
    assert CommandDescription.from_wire(description.to_wire() | more) == description


def test_what_an_older_client_does_not_know_is_said_only_where_it_is_so() -> None:
    """A server says nothing new of a command that has nothing new; an older one's description has the defaults."""
    plain = CommandDescription("X", arguments=(ArgumentDescription("a"),))
    told = plain.to_wire()
    assert told.keys() == {"name", "summary", "role", "arguments", "idempotent", "reply"}
    assert told["arguments"] == [{"name": "a", "type": "str"}]
    made = CommandDescription.from_wire(told)
    assert (made.confirm, made.danger, made.job) == ("", False, False)
    assert made.arguments == (ArgumentDescription("a", secret=False, file=False),)

    asking = CommandDescription(
        "X", arguments=(ArgumentDescription("a", secret=True, file=True),), confirm="Sure?", danger=True, job=True
    )
    more = asking.to_wire()
    assert {key: value for key, value in more.items() if key not in told} == {
        "confirm": "Sure?",
        "danger": True,
        "job": True,
    }
    assert more["arguments"] == [{"name": "a", "type": "str", "secret": True, "file": True}]


def test_an_unknown_kind_of_reply_is_shown_as_lines() -> None:
    """A newer server's kind of reply is still shown."""
    assert CommandDescription.from_wire({"name": "X", "reply": "hologram"}).reply is ReplyKind.LINES


def test_what_is_left_out_is_at_its_careful_default() -> None:
    """A name alone is a description; a command that does not say so may not be sent twice."""
    made = CommandDescription.from_wire({"name": "X"})
    assert made == CommandDescription("X", idempotent=False)


@pytest.mark.parametrize("bound", ["many", "nan", "inf", float("nan"), True, None, [], {}])
def test_a_bound_that_is_no_number_bounds_nothing(bound: object) -> None:
    """A client must not refuse what the server would take."""
    (argument,) = CommandDescription.from_wire({"name": "X", "arguments": [{"name": "n", "minimum": bound}]}).arguments
    assert argument.minimum is None


@given(plain)
def test_broken_input_gives_a_description_or_value_error(wire: object) -> None:
    """Whatever a server says, the client gets a description or ValueError, nothing else."""
    try:
        made = CommandDescription.from_wire(wire)
    except ValueError:
        return
    assert made.name
    assert CommandDescription.from_wire(made.to_wire()) == made


@pytest.mark.parametrize(
    "wire",
    [
        None,
        7,
        "name",
        [],
        {},
        {"name": ""},
        {"name": ["X"]},
        ["name"],
        [["name"], "X"],
        [{}, {}, "name"],
        {"name": "X", "arguments": [{}]},
        {"name": "X", "arguments": ["text"]},
        {"name": "X", "arguments": [{"name": 1}]},
    ],
)
def test_what_has_no_name_is_no_description(wire: object) -> None:
    """Neither a command nor an argument is without a name, and keys that cannot be keys do no harm."""
    with pytest.raises(ValueError, match="has no name"):
        CommandDescription.from_wire(wire)


@pytest.mark.parametrize(
    ("argument", "syntax"),
    [
        (ArgumentDescription("text"), "text"),
        (ArgumentDescription("text", optional=True, variadic=True), "[text …]"),
        (ArgumentDescription("service", choices=("web", "worker")), "web|worker"),
        (ArgumentDescription("force", "bool", optional=True, flag=True), "[--force]"),
        (ArgumentDescription("count", "int", optional=True, flag=True), "[--count count]"),
        (ArgumentDescription("on", choices=("a", "b"), flag=True), "--on a|b"),
    ],
)
def test_the_syntax_reads_as_in_a_manual(argument: ArgumentDescription, syntax: str) -> None:
    """Brackets, bars, dots and dashes mean what they mean in every manual."""
    assert argument.syntax == syntax
    assert CommandDescription("X", arguments=(argument, argument)).syntax == f"X {syntax} {syntax}"
