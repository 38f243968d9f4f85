"""Links and the head."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from secure_server.audit.chain import HEAD, START, Link, read_head, write_head


def test_a_link_is_the_hash_of_its_line() -> None:
    """SHA-256, in hex, of the bytes without their end."""
    assert Link.of(3, b"{}") == Link(3, hashlib.sha256(b"{}").hexdigest())


def test_a_link_can_be_noted_down_and_read_again() -> None:
    """`NUMBER:HASH`, as verify prints it."""
    link = Link.of(3, b"{}")
    assert Link.parse(str(link)) == link == Link.parse(f"0003:{link.hash}\n")


@pytest.mark.parametrize("text", ["", "3", "3:abc", f"-1:{START.hash}", f"3:{START.hash.upper()}A", f"x:{START.hash}"])
def test_what_is_no_link_is_refused(text: str) -> None:
    """With a sentence that says how one is written."""
    with pytest.raises(ValueError, match="NUMBER:HASH"):
        Link.parse(text)


def test_the_head_is_private_and_keeps_its_size(tmp_path: Path) -> None:
    """Written in place, so a full disk does not stop it."""
    assert read_head(tmp_path) is None
    sizes = set()
    for seq in (1, 999_999_999):
        write_head(tmp_path, Link.of(seq, b"{}"))
        assert read_head(tmp_path) == Link.of(seq, b"{}")
        sizes.add((tmp_path / HEAD).stat().st_size)
    assert len(sizes) == 1
    assert (tmp_path / HEAD).stat().st_mode & 0o777 == 0o600


def test_a_damaged_head_is_told_from_a_missing_one(tmp_path: Path) -> None:
    """The first is an error."""
    (tmp_path / HEAD).write_text("nonsense", encoding="utf-8")
    with pytest.raises(ValueError, match="NUMBER:HASH"):
        read_head(tmp_path)
