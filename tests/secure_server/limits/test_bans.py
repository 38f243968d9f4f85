"""Who is banned: users, addresses, networks; until when; and what is on disk of it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from secure_server.limits import bans as table
from secure_server.limits.ban_file import BANS, load_bans
from secure_server.limits.bans import Ban, Bans, BansError, Kind, Target, TooManyBansError, network_of, target

ANA = Target(Kind.USER, "ana")


class Wall:
    """Unix seconds that move when told."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        """The time, as the code under test asks for it."""
        return self.now


def add(bans: Bans, *labels: str, until: float | None = None, reason: str = "") -> list[int]:
    """Ban what is written `kind=what`; return the numbers."""
    wanted = [target(Kind(kind), what) for kind, _, what in (label.partition("=") for label in labels)]
    return [ban.number for ban in bans.add(wanted, until=until, by="root", reason=reason)]


def test_an_address_is_in_what_was_banned_of_it() -> None:
    """By itself or by a network, of either version; IPv4 within IPv6 is IPv4, and a zone is left out."""
    bans = Bans()
    add(bans, "address=192.0.2.7", "network=10.0.0.0/8", "network=2001:db8::/32", "address=fe80::1")
    add(bans, "network=::ffff:198.51.100.0/120")
    inside = ("192.0.2.7", "::ffff:192.0.2.7", "10.255.0.1", "2001:db8:1::9", "fe80::1%eth0", "198.51.100.9")
    assert [len(bans.of_address(host)) for host in inside] == [1] * len(inside)
    for host in ("192.0.2.8", "11.0.0.1", "2001:db9::1", "unix", "", "198.51.101.9"):
        assert bans.of_address(host) == [], host


def test_of_several_the_one_that_ends_last_is_first() -> None:
    """So whoever is told when to come back is not told too soon; an address and its network of one are both there."""
    wall = Wall()
    bans = Bans(wall=wall)
    add(bans, "address=10.0.0.1", until=wall.now + 60)
    add(bans, "network=10.0.0.0/24", until=wall.now + 600)
    add(bans, "network=10.0.0.1/32", until=None)
    assert [ban.label for ban in bans.of_address("10.0.0.1")] == ["network=10.0.0.1/32", "network=10.0.0.0/24"]


def test_a_ban_ends_by_itself() -> None:
    """At its moment, for everybody who asks; and its place is free again."""
    wall = Wall()
    bans = Bans(wall=wall)
    add(bans, "user=ana", "address=10.0.0.1", until=wall.now + 60)
    assert bans.of_user("ana") is not None
    wall.now += 60
    assert (bans.of_user("ana"), bans.of_address("10.0.0.1"), bans.entries()) == (None, [], [])


def test_what_is_banned_again_keeps_its_number_and_no_number_is_given_twice() -> None:
    """So that who removes 1 a moment later does not remove another."""
    wall = Wall()
    bans = Bans(wall=wall)
    assert add(bans, "user=ana", "user=bia", "user=ana", until=wall.now + 9) == [1, 2]
    assert add(bans, "user=ana", reason="again") == [1]
    found = bans.of_user("ana")
    assert found is not None
    assert (found.until, found.reason, found.by) == (None, "again", "root")
    assert [ban.number for ban in bans.remove([1, 7])] == [1]
    assert bans.remove([1]) == []
    assert add(bans, "user=ana") == [3]


def test_there_are_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a request or nothing; what has ended does not count."""
    monkeypatch.setattr(table, "MOST_BANS", 2)
    wall = Wall()
    bans = Bans(wall=wall)
    add(bans, "user=a", until=wall.now + 9)
    with pytest.raises(TooManyBansError):
        add(bans, "user=b", "user=c")
    assert [ban.what for ban in bans.entries()] == ["a"]
    wall.now += 9
    add(bans, "user=b", "user=c")


def test_what_could_not_be_written_does_not_hold() -> None:
    """Nor is what was there gone."""

    def full(_last: int, _bans: Sequence[Ban]) -> None:
        raise OSError(28, "No space left on device")

    bans = Bans([Ban(number=1, kind=Kind.USER, what="ana", since=0, until=None, by="root")], 1, full)
    with pytest.raises(OSError, match="No space"):
        add(bans, "user=bia")
    with pytest.raises(OSError, match="No space"):
        bans.remove([1])
    assert [ban.what for ban in bans.entries()] == ["ana"]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.USER, ""), (Kind.USER, "a\nb"), (Kind.USER, "x" * 129), (Kind.ADDRESS, "10.0.0.0/8"),
        (Kind.ADDRESS, "box"), (Kind.NETWORK, "10.0.0.1/8"), (Kind.NETWORK, ""), (Kind.NETWORK, "10.0.0.0/40"),
    ],
)  # fmt: skip
def test_what_cannot_be_banned(kind: Kind, text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=r"^$|10.0.0.0/8"):
        target(kind, text)


def test_a_network_of_an_address() -> None:
    """What somebody most likely shares with it."""
    assert network_of("192.0.2.7") == "192.0.2.0/24"
    assert network_of("::ffff:192.0.2.7") == "192.0.2.0/24"
    assert network_of("2001:db8:1:2::7") == "2001:db8:1:2::/64"
    with pytest.raises(ValueError, match=r"^$"):
        network_of("unix")


# On disk


def test_bans_outlive_the_server(tmp_path: Path) -> None:
    """Each change is there for the next, numbers included; nobody else may read it, and nothing is left beside it."""
    bans = load_bans(tmp_path)
    assert bans.entries() == []
    add(bans, "user=ana", "network=10.0.0.0/8", reason="é tarde")
    bans.remove([2])
    again = load_bans(tmp_path)
    assert again.entries() == bans.entries()
    assert add(again, "address=::1") == [3]
    assert [path.name for path in tmp_path.iterdir()] == [BANS]
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / BANS).stat().st_mode) == 0o600
        (tmp_path / BANS).chmod(0o644)
        load_bans(tmp_path)
        assert stat.S_IMODE((tmp_path / BANS).stat().st_mode) == 0o600


_GOOD = {"number": 1, "kind": "user", "what": "ana", "since": 1.0, "until": None, "by": "root"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is damaged, or of a newer version"),
        (b'{"last": 1, "bans": [', "it is damaged, or of a newer version"),
        (b"\xff\xfe", "it is damaged, or of a newer version"),
        (json.dumps({"last": 1, "bans": [_GOOD], "format": 2}).encode(), "it is damaged, or of a newer version"),
        (json.dumps({"last": 1, "bans": [_GOOD | {"more": 1}]}).encode(), "it is damaged, or of a newer version"),
        (json.dumps({"last": 1, "bans": [_GOOD, _GOOD]}).encode(), "have the same number"),
        (json.dumps({"last": 0, "bans": [_GOOD]}).encode(), "a number that was never given"),
        (json.dumps({"last": 1, "bans": [_GOOD | {"kind": "network"}]}).encode(), "its ban 1 is of nothing that can"),
        (json.dumps({"last": 1, "bans": [_GOOD | {"kind": "address", "what": "::FFFF"}]}).encode(), "its ban 1 is of"),
    ],
    ids=range(9),
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    """Whoever was banned would else be let in again without a word."""
    (tmp_path / BANS).write_bytes(content)
    with pytest.raises(
        BansError, match=rf"The bans in .*{why}.*Put the file of a backup in its place; or move it away"
    ):
        load_bans(tmp_path)
    assert (tmp_path / BANS).read_bytes() == content


def test_too_large_a_file_or_a_link_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was not written by us."""
    add(load_bans(tmp_path), "user=ana")
    monkeypatch.setattr("secure_server.limits.ban_file.MOST_BYTES", 10)
    with pytest.raises(BansError, match="it is longer than 10 bytes"):
        load_bans(tmp_path)
    monkeypatch.undo()
    if os.name == "posix":
        (tmp_path / BANS).rename(tmp_path / "elsewhere")
        (tmp_path / BANS).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(BansError, match="is a link, or no plain file"):
            load_bans(tmp_path)
