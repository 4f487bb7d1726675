"""What the daemon counts of itself: requests, errors, cache, latencies, connections.

One lock, held for a few additions. Latencies are kept in buckets that grow by a tenth, so percentiles are
right to 10 % whatever their range, in constant memory.
"""

import math
import threading
import time
from collections import Counter, defaultdict
from typing import Any

_GROWTH = math.log(1.1)
_LEAST_MS = 0.01


class Histogram:
    """Durations by bucket."""

    def __init__(self) -> None:
        self.count = 0
        self.total_ms = 0.0
        self._buckets: Counter[int] = Counter()

    def add(self, took_ms: float) -> None:
        self.count += 1
        self.total_ms += took_ms
        self._buckets[round(math.log(max(took_ms, _LEAST_MS)) / _GROWTH)] += 1

    def percentile(self, share: float) -> float:
        """The duration that this share of all stays below, to within a bucket."""
        wanted = max(1, math.ceil(share * self.count))
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                return math.exp(bucket * _GROWTH)
        return 0.0


class Vitals:
    """The counters of one daemon."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.started = time.monotonic()
        self._wanted = self.started
        self._requests: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._events: Counter[str] = Counter()
        self._latencies: defaultdict[str, Histogram] = defaultdict(Histogram)
        self.connections = 0

    def request(self, operation: str, took_ms: float, *, error: str = "") -> None:
        with self._lock:
            self._requests[operation] += 1
            self._latencies[operation].add(took_ms)
            if error:
                self._errors[error] += 1
            self._wanted = time.monotonic()

    def event(self, name: str) -> None:
        """Something worth counting: `cache_hits`, `connections_total`, `opened`."""
        with self._lock:
            self._events[name] += 1

    def wanted(self) -> None:
        """Somebody wants something, if only to be waited for: idleness begins anew."""
        self._wanted = time.monotonic()

    def connected(self, change: int) -> None:
        with self._lock:
            self.connections += change
            self._events["connections_total"] += change > 0
            self._wanted = time.monotonic()

    @property
    def idle_s(self) -> float:
        """Since somebody came or was answered last."""
        return time.monotonic() - self._wanted

    @property
    def uptime_s(self) -> float:
        return time.monotonic() - self.started

    def to_json(self) -> dict[str, Any]:
        with self._lock:
            return {
                "uptime_s": round(self.uptime_s, 1),
                "connections": self.connections,
                "queries": sum(
                    self._requests[name] for name in ("run", "query", "query_fts", "query_hybrid")
                ),
                "requests": dict(self._requests),
                "errors": dict(self._errors),
                "events": dict(self._events),
                "latency_ms": {
                    operation: {
                        f"p{share}": round(found.percentile(share / 100), 3) for share in (50, 95, 99)
                    }
                    | {"count": found.count, "sum": round(found.total_ms, 3)}
                    for operation, found in self._latencies.items()
                },
            }
