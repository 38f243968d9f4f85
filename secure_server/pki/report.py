"""What a run did, file by file, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from pathlib import Path

from secure_protocol.sentence import Sentence
from secure_server.pki.names import Host


class Verdict(Enum):
    """What became of a file; the value is the word for it."""

    MADE = Sentence("made")
    KEPT = Sentence("kept")
    RENEWED = Sentence("renewed")
    UNUSABLE = Sentence("left alone")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file's line.

    Attributes:
        file: its name in the directory.
        verdict: what became of it.
        because: why, as the end of a sentence.
        until: when the certificate ends.
        tightened: the mode that the file had, when others could read it.
    """

    file: str
    verdict: Verdict
    because: str | None = None
    until: datetime | None = None
    tightened: int | None = None

    @property
    def outcome(self) -> Sentence:
        """The line without the file's name: `renewed because it expired on 2026-01-02 (valid until 2027-12-24)`."""
        text: Sentence = self.verdict.value
        if self.because is not None:
            text = Sentence("{outcome} because {why}", outcome=text, why=self.because)
        if self.tightened is not None:
            text = Sentence("{outcome}, mode tightened from {mode}", outcome=text, mode=f"{self.tightened:04o}")
        if self.until is not None:
            text = Sentence("{outcome} (valid until {day})", outcome=text, day=f"{self.until:%Y-%m-%d}")
        return text


@dataclass(slots=True)
class Report:
    """A whole run.

    Attributes:
        directory: where the files are.
        entries: one for each file, in the order of the chain.
        notes: what a person should know besides, in whole sentences.
        hosts: what the server's certificate was proven for.
    """

    directory: Path
    entries: list[Entry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    hosts: tuple[Host, ...] = ()

    def amend(self, changes: Mapping[str, tuple[Verdict, str | None]]) -> None:
        """Say of files what became of them, and why, before the run came to keep them."""
        for number, entry in enumerate(self.entries):
            if entry.file in changes:
                verdict, because = changes[entry.file]
                self.entries[number] = replace(entry, verdict=verdict, because=because)
