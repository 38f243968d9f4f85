"""`/healthz` and `/readyz`: who is answered, and what."""

from __future__ import annotations

import json

import pytest

from secure_server.session.peer import Peer
from secure_server.web.health import Health
from secure_server.web.message import Answer, Question

WHY: dict[str, str] = {}
HEALTH = Health(["10.0.0.0/8", "2001:db8::/32"], lambda: WHY)
PATHS = ["/healthz", "/readyz"]


def ask(path: str, address: str = "127.0.0.1:1", method: str = "GET", accept: str = "*/*") -> Answer | None:
    """Ask."""
    return HEALTH(Question(Peer(address), method, path, "", (("accept", accept),)))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("address", "answered"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("[::ffff:127.0.0.1]:1", True),
        ("10.200.0.7:1", True),
        ("[2001:db8::7]:1", True),
        ("192.0.2.7:1", False),
        ("0.0.0.0:1", False),
        ("[2001:db9::7]:1", False),
    ],
)
def test_others_find_nothing(path: str, address: str, *, answered: bool) -> None:
    """For this machine and the networks of the settings alone there is such an address."""
    assert (ask(path, address) is not None) == answered


def test_alive_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is alive is not started anew, whatever it cannot do now."""
    monkeypatch.setitem(WHY, "draining", "It is.")
    monkeypatch.setitem(WHY, "storage", "It is broken.")
    alive, ready = ask("/healthz"), ask("/readyz")
    assert alive is not None
    assert ready is not None
    assert (alive.status, alive.body) == (200, b"ok\n")
    assert (ready.status, ready.body) == (503, b"draining: It is.\nstorage: It is broken.\n")
    told = ask("/readyz", accept="application/json")
    assert told is not None
    assert (told.status, told.kind) == (503, "application/json")
    assert json.loads(told.body) == {"ok": False, "reasons": {"draining": "It is.", "storage": "It is broken."}}


def test_ready() -> None:
    """As text, and as JSON for those who ask for it."""
    ready, told = ask("/readyz"), ask("/readyz", accept="application/json, */*")
    assert ready is not None
    assert told is not None
    assert (ready.status, ready.body) == (200, b"ok\n")
    assert (told.status, json.loads(told.body)) == (200, {"ok": True, "reasons": {}})


def test_other_methods() -> None:
    """Nothing is changed here."""
    answer = ask("/readyz", method="POST")
    assert answer is not None
    assert (answer.status, answer.headers) == (405, (("Allow", "GET, HEAD"),))


def test_other_paths_are_others() -> None:
    """Nor is a path below one of these."""
    assert ask("/") is None
    assert ask("/healthz/") is None
