"""What is found in what only the running server knows."""

from __future__ import annotations

from typing import Any

import pytest

from secure_protocol.sentence import Sentence
from secure_server.audit.chain import START
from secure_server.audit.trail import Status
from secure_server.doctor.finding import examine
from secure_server.doctor.running import RUNNING, Running

WELL = Status(None, "", 0, 0, START, ())


def test_nothing_is_found_where_all_is_well() -> None:
    """With a trail that is written."""
    assert list(examine(RUNNING, Running(trail=WELL))) == []


@pytest.mark.parametrize(
    ("known", "severity", "sentence"),
    [
        ({"certificate": ["It was not renewed."]}, "error", "It was not renewed."),
        ({"leapt": True}, "warning", "The clock leapt by more than a day"),
        ({"trail": None}, "note", "The audit trail is off"),
        ({"trail": WELL._replace(failing_since=1.0, why="full")}, "error", "The audit trail cannot be written: full."),
        ({"trail": WELL._replace(lost=3)}, "warning", "Records of the audit trail were lost: 3."),
        ({"lost_lines": 4}, "error", "Lines of the activity log cannot be written: 4."),
        ({"stuck": 2}, "warning", "Commands were told to stop and still run: 2."),
        ({"idle": [1, 2, 3, 4, 5, 6, 7]}, "note", "Clients sent nothing for a day: 1, 2, 3, 4, 5, … (+2)."),
        ({"lost_jobs": [7]}, "warning", "Lost jobs hold what others wait for: 7."),
        ({"penalties": (5, 5)}, "warning", "The table of penalties is full (5 netblocks)"),
        ({"unusable": Sentence("It is none.")}, "error", "It is none."),
        ({"differs": ["a.b"]}, "note", "The file says otherwise than what runs: a.b."),
        ({"set": ["a.b"]}, "note", "Set until the restart: a.b."),
        ({"split": True}, "error", "Files of the token database were replaced"),
        ({"draining": True}, "note", "The server is draining"),
    ],
)
def test_each_fault_is_found(known: dict[str, Any], severity: str, sentence: str) -> None:
    """Alone, with what to do."""
    (found,) = examine(RUNNING, Running(**{"trail": WELL, **known}))
    assert (found.severity, str(found.sentence)[: len(sentence)]) == (severity, sentence)
    assert str(found.remedy).endswith(".")
