"""What was measured, as values: durations, questions put both ways, crowds, memory. Pure.

Every daemon imports all modules when it starts, and named tuples are made in a sixth of a frozen dataclass's time.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

# As many points of the memory as anybody looks at.
_MOST_SAMPLES = 200


class Times(NamedTuple):
    """Durations of one thing in milliseconds, in the order in which they were taken."""

    ms: tuple[float, ...]

    @classmethod
    def of(cls, took_s: Iterable[float]) -> "Times":
        return cls(tuple(second * 1000 for second in took_s))

    @property
    def median(self) -> float:
        return self.below(0.5)

    @property
    def mean(self) -> float:
        return sum(self.ms) / max(1, len(self.ms))

    def below(self, share: float) -> float:
        """What this share of them does not exceed; 0 where there are none."""
        return sorted(self.ms)[max(1, math.ceil(share * len(self.ms))) - 1] if self.ms else 0.0

    def to_json(self) -> dict[str, float]:
        found = {
            "median_ms": self.median,
            "p99_ms": self.below(0.99),
            "mean_ms": self.mean,
            "least_ms": self.below(0),
            "most_ms": self.below(1),
        }
        return {"count": len(self.ms)} | {name: round(value, 3) for name, value in found.items()}


class Pair(NamedTuple):
    """The same thing without a daemon and with a warm one."""

    without: Times
    warm: Times

    @property
    def saved(self) -> float:
        """The share of the time that the daemon saves."""
        return 1 - self.warm.median / self.without.median

    def to_json(self) -> dict[str, Any]:
        return {"without": self.without.to_json(), "warm": self.warm.to_json(), "saved": round(self.saved, 4)}


class Cold(NamedTuple):
    """A daemon that has to be started: until it answers, the first query then, and both together."""

    ready: Times
    first: Times
    total: Times

    def to_json(self) -> dict[str, Any]:
        return {"ready": self.ready.to_json(), "first": self.first.to_json(), "total": self.total.to_json()}


class Wire(NamedTuple):
    """What asking costs besides the answer. `daemon_ms` is the mean time that the daemon says `query` took."""

    ping: Times
    query: Times
    daemon_ms: float

    @property
    def overhead_ms(self) -> float:
        return max(0.0, self.query.mean - self.daemon_ms)

    def to_json(self) -> dict[str, Any]:
        return {
            "ping": self.ping.to_json(),
            "query": self.query.to_json(),
            "daemon_mean_ms": round(self.daemon_ms, 3),
            "overhead_ms": round(self.overhead_ms, 3),
        }


class Crowd(NamedTuple):
    """Questions of one or more clients, each as fast as it is answered; `failures` says why, one for each."""

    clients: int
    asked: int
    wall_s: float
    took: Times
    failures: tuple[str, ...]

    @property
    def answered(self) -> int:
        return self.asked - len(self.failures)

    def to_json(self) -> dict[str, Any]:
        return {
            "clients": self.clients,
            "asked": self.asked,
            "answered": self.answered,
            "failures": sorted(set(self.failures))[:5],
            "wall_s": round(self.wall_s, 3),
            "took": self.took.to_json(),
        }


class Memory(NamedTuple):
    """The daemon's private bytes before the first query of the crowds, and after each of them."""

    samples: tuple[int, ...]

    @property
    def growth_bytes(self) -> int:
        return self.samples[-1] - self.samples[0]

    @property
    def growth_per_100_bytes(self) -> float:
        return self.growth_bytes * 100 / max(1, len(self.samples) - 1)

    def thinned(self) -> list[tuple[int, int]]:
        """After how many queries it was how much: evenly, the first and the last among them."""
        last = len(self.samples) - 1
        steps = min(last, _MOST_SAMPLES - 1)
        numbers = [number * last // steps for number in range(steps + 1)] if steps else [0]
        return [(number, self.samples[number]) for number in numbers]

    def to_json(self) -> dict[str, Any]:
        return {
            "before_bytes": self.samples[0],
            "after_bytes": self.samples[-1],
            "growth_per_100_queries_bytes": round(self.growth_per_100_bytes),
            "samples": self.thinned(),
        }


class Measurements(NamedTuple):
    """All of it. `start` is getting ready to answer without a daemon, and to ask with one."""

    kinds: Mapping[str, Pair]
    start: Pair
    cold: Cold
    wire: Wire
    consecutive: Crowd
    concurrent: Crowd
    memory: Memory
    cpu_s: float
    changed_files: int

    @property
    def saved(self) -> float:
        """The share of the time that the daemon saves over all kinds of questions, each counted once."""
        without = sum(pair.without.median for pair in self.kinds.values())
        return 1 - sum(pair.warm.median for pair in self.kinds.values()) / without

    @property
    def cpu_ms(self) -> float:
        """The daemon's, for a query."""
        return self.cpu_s * 1000 / (self.consecutive.asked + self.concurrent.asked)

    def to_json(self) -> dict[str, Any]:
        return {
            "queries": {name: pair.to_json() for name, pair in self.kinds.items()},
            "saved": round(self.saved, 4),
            "start": self.start.to_json(),
            "cold": self.cold.to_json(),
            "wire": self.wire.to_json(),
            "consecutive": self.consecutive.to_json(),
            "concurrent": self.concurrent.to_json(),
            "memory": self.memory.to_json(),
            "daemon_cpu_s": round(self.cpu_s, 3),
            "daemon_cpu_ms_per_query": round(self.cpu_ms, 3),
            "changed_files": self.changed_files,
        }
