"""What the activity log and the audit trail cost."""

from __future__ import annotations

from benchmarks.contestants import OURS, ours
from benchmarks.measures.echo import at_depth, quantities
from benchmarks.measures.measure import Measure

LOG_LEAST = "[log]\nmax_lines_per_second = 1\n"
AUDIT_OFF = '[audit]\ntrail = "off"\n'

CONTESTANTS = (
    OURS,
    ours("log at its least", LOG_LEAST),
    ours("audit off", AUDIT_OFF),
    ours("log at its least, audit off", LOG_LEAST + AUDIT_OFF),
)


def _log(depth: int) -> Measure:
    name = f"log-{depth}"
    return Measure(
        name,
        f"Activity log and audit trail, ECHO at depth {depth}",
        quantities(name),
        CONTESTANTS,
        at_depth(name, depth),
        "As ECHO above. The activity log cannot be turned off: at its least it writes one line a second.",
    )


MEASURES = (_log(1), _log(16))
