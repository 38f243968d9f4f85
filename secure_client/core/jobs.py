"""A line of the list of jobs."""

from __future__ import annotations

from typing import NamedTuple, Self


class JobRow(NamedTuple):
    """A job as `JOBS` tells of it.

    Attributes:
        number: by which it is known.
        command: its name; with the arguments that may be shown.
        who: the principal that started it.
        state: `queued`, `running`, `done`, `failed`, `cancelled`, `timed-out`, `lost`.
        started: ISO 8601; empty while it waits.
        took: as the server tells it; empty while it waits.
        exit_code: of its program; None where there is none, or none yet.
        next: the number of the part that comes next.
    """

    number: int
    command: str
    who: str
    state: str
    started: str
    took: str
    exit_code: int | None
    next: int

    @classmethod
    def from_wire(cls, row: object) -> Self:
        """Read a row; what is missing is empty."""
        cells = row if isinstance(row, dict) else {}
        exit_code = cells.get("exit")

        def text(name: str) -> str:
            return "" if cells.get(name) is None else str(cells[name])

        return cls(
            number=_number(cells.get("job")),
            command=text("command"),
            who=text("who"),
            state=text("state"),
            started=text("started"),
            took=text("took"),
            exit_code=exit_code if isinstance(exit_code, int) else None,
            next=_number(cells.get("next")),
        )


def listing(state: str | None, command: str | None, user: str | None, limit: int | None) -> list[str]:
    """Return the words that ask for jobs; None asks for any."""
    options = {"--state": state, "--command": command, "--user": user, "--limit": limit}
    return ["JOBS", *(str(word) for pair in options.items() if pair[1] is not None for word in pair)]


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
