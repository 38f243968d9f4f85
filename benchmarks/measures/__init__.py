"""What is measured: a subject in each file."""

from __future__ import annotations

from benchmarks.measures import codec, echo, growth, idle, log, logins, programs, storm
from benchmarks.measures.measure import Measure

ALL: tuple[Measure, ...] = (
    *echo.MEASURES,
    *logins.MEASURES,
    *idle.MEASURES,
    *storm.MEASURES,
    *log.MEASURES,
    *codec.MEASURES,
    *programs.MEASURES,
    *growth.MEASURES,
)
