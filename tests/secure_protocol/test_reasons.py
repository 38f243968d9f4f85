"""Why connections end, and what a client does then."""

from __future__ import annotations

import re

import pytest

from secure_protocol.reasons import CloseReason, Reconnect

STAYS_AWAY = {"goodbye", "kicked", "banned", "revoked", "expired", "auth-failed", "protocol-error"}


@pytest.mark.parametrize("reason", CloseReason)
def test_reasons_are_words_that_stand_on_the_wire(reason: CloseReason) -> None:
    """Each reason is a lower-case word with hyphens, which goes into one word of a reply and back."""
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", str(reason))
    assert CloseReason(str(reason)) is reason


@pytest.mark.parametrize("reason", CloseReason)
def test_a_client_comes_back_only_where_it_is_welcome(reason: CloseReason) -> None:
    """Who was sent away stays away, who slept wakes on use, and an accident or a full house is tried again later."""
    expected = Reconnect.NEVER if reason in STAYS_AWAY else Reconnect.LATER
    assert reason.reconnect is (Reconnect.ON_USE if reason == "idle" else expected)


def test_the_published_reasons_are_there() -> None:
    """Those that the wire protocol names never change their spelling."""
    assert {"idle", "kicked", "revoked", "expired", "draining", "slow-consumer", "auth-timeout", "too-many"} <= {
        *CloseReason
    }
