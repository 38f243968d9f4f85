"""The codecs without anything around them."""

from __future__ import annotations

import json

from benchmarks.children import finished, python
from benchmarks.contestants import OURS, Arena, Contestant
from benchmarks.figures import Quantity
from benchmarks.loads.codec import DEPTHS
from benchmarks.measures.measure import Measure
from benchmarks.scale import Scale


def _codec(_arena: Arena, _contestant: Contestant, scale: Scale) -> dict[str, float]:
    printed = finished(python("-m", "benchmarks.loads.codec", str(scale.iterations)), name="codec")
    return {f"codec.{name}": float(value) for name, value in json.loads(printed).items()}


MEASURES = (
    Measure(
        "codec",
        "Codecs: decode an ECHO and encode its answer",
        tuple(
            Quantity(f"codec.{form}-{depth}", f"{form.upper()}, {depth} in a read", "ns")
            for form in ("resp", "text")
            for depth in DEPTHS
        ),
        (OURS,),
        _codec,
        "secure_protocol alone, in a process of its own.",
    ),
)
