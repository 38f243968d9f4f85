"""Three ways of writing the same; and a reply put together from kept bytes is the one that is written at once."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from secure_protocol.replies import Encoded, ReplyKind, Status
from secure_server.session.codecs import RESP2, RESP3, TEXT, Codec

CODECS = (TEXT, RESP2, RESP3)
words = st.text(max_size=8) | st.sampled_from(["", ".", "..", "a\nb", "\x1b[2J"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | words | words.map(str.encode) | words.map(Status),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
@given(written=st.lists(values, max_size=4))
@example(written=[])
@example(written=["a\nb", "", ".", None, [], [""], {"a": "."}])
def test_items_join_to_the_list(codec: Codec, written: list[object]) -> None:
    """Whatever they are, and however few."""
    joined = codec.array([codec.item(value) for value in written])
    assert joined.data == codec.reply(written, ReplyKind.LINES)


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
@given(written=st.dictionaries(words, values, max_size=4))
@example(written={})
@example(written={".": "a\nb", "": [".", None]})
def test_pairs_join_to_the_dict(codec: Codec, written: dict[str, object]) -> None:
    """Likewise; RESP2 counts keys and values, the others pairs."""
    joined = codec.mapping([codec.pair(key, value) for key, value in written.items()])
    assert joined.data == codec.reply(written, ReplyKind.LINES)


@pytest.mark.parametrize("kind", ReplyKind)
@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_what_is_encoded_goes_out_as_it_is(codec: Codec, kind: ReplyKind) -> None:
    """Under any kind and wording."""
    assert codec.reply(Encoded(b".as it is\r\n"), kind, "form: {}") == b".as it is\r\n"
