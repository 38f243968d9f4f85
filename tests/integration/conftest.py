"""A place that other users may enter, too."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that every user may enter; those that pytest makes are closed to others."""
    with tempfile.TemporaryDirectory(prefix="secure-server-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path
