"""Whether a daemon is worth it: every criterion with what was measured, and GO where all are met. Pure.

A value is rounded to a tenth and judged as it is shown.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from cidx.cli.bench.measurements import Crowd, Measurements

LEAST_SAVED, MOST_OVERHEAD_MS, MOST_START_MS, MOST_GROWTH_MB = 30, 100, 100, 100


class Criterion(NamedTuple):
    """One condition; `bound` is "at least" or "below"."""

    name: str
    what: str
    value: float
    bound: str
    limit: float
    unit: str

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.bound == "at least" else self.value < self.limit

    def to_json(self) -> dict[str, Any]:
        fields = ("name", "what", "value", "bound", "limit", "unit", "met")
        return {name: getattr(self, name) for name in fields}


def criteria(measured: Measurements) -> list[Criterion]:
    growth_mb = max(0.0, measured.memory.growth_per_100_bytes / 1e6)
    return [
        _least("faster", "time saved by the daemon, overall", measured.saved * 100, LEAST_SAVED, "%"),
        _below("rpc", "RPC overhead of a query", measured.wire.overhead_ms, MOST_OVERHEAD_MS, "ms"),
        _below("start", "start-up of a query", measured.start.warm.median, MOST_START_MS, "ms"),
        _answered("consecutive", "answered, one after the other", measured.consecutive),
        _answered("concurrent", "answered, at once", measured.concurrent),
        _below("memory", "memory growth in 100 queries", growth_mb, MOST_GROWTH_MB, "MB"),
    ]


def word(found: Sequence[Criterion]) -> str:
    return "GO" if all(criterion.met for criterion in found) else "NO-GO"


def _least(name: str, what: str, value: float, limit: float, unit: str) -> Criterion:
    return Criterion(name=name, what=what, value=round(value, 1), bound="at least", limit=limit, unit=unit)


def _below(name: str, what: str, value: float, limit: float, unit: str) -> Criterion:
    return Criterion(name=name, what=what, value=round(value, 1), bound="below", limit=limit, unit=unit)


def _answered(name: str, what: str, crowd: Crowd) -> Criterion:
    return _least(name, what, crowd.answered, crowd.asked, "queries")
