"""The terminal is a program of threads."""

from __future__ import annotations

import pytest

from secure_client import Client


@pytest.fixture
def client(threaded: Client) -> Client:
    """A connected client."""
    return threaded
