"""The states of a session: every pair of state and event is decided here."""

from __future__ import annotations

from itertools import product

import pytest

from secure_server.session.state import TRANSITIONS, Event, State

ALLOWED = {
    (State.UNAUTHENTICATED, Event.AUTHENTICATED): State.AUTHENTICATED,
    (State.UNAUTHENTICATED, Event.RESET): State.UNAUTHENTICATED,
    (State.UNAUTHENTICATED, Event.CLOSED): State.CLOSING,
    (State.AUTHENTICATED, Event.AUTHENTICATED): State.AUTHENTICATED,
    (State.AUTHENTICATED, Event.RESET): State.UNAUTHENTICATED,
    (State.AUTHENTICATED, Event.CLOSED): State.CLOSING,
    (State.CLOSING, Event.CLOSED): State.CLOSING,
}
IMPOSSIBLE = {
    (State.CLOSING, Event.AUTHENTICATED): "what is closing reads no more",
    (State.CLOSING, Event.RESET): "what is closing reads no more",
}


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_every_pair_leads_where_it_must_or_nowhere(state: State, event: Event) -> None:
    """Each pair is either in the table with its one outcome, or impossible for a reason told here."""
    assert ((state, event) in ALLOWED) != ((state, event) in IMPOSSIBLE)
    assert TRANSITIONS.get((state, event)) == ALLOWED.get((state, event))


def test_nothing_leaves_closing() -> None:
    """A session that is closing never comes back."""
    assert {after for (state, _), after in TRANSITIONS.items() if state is State.CLOSING} == {State.CLOSING}
