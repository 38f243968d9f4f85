"""What goes wrong with what is kept of jobs; apart, so that telling of it brings no records."""

from __future__ import annotations


class RecordsError(Exception):
    """The records could not be read or written; `str()` is a sentence that says what to do."""
