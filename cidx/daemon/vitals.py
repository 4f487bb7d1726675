"""What the daemon counts of itself: requests, errors, latencies, connections, and what else happens.

One lock, held for a few additions. Latencies are kept in buckets, eight for each doubling, so percentiles are right to
4.5 % from 0.01 ms to almost three minutes, in 1.6 kB for each operation.
"""

import math
import threading
import time
from array import array
from collections import Counter, defaultdict
from typing import Any

_LEAST_MS = 0.01
_EACH_DOUBLING = 8
_DOUBLINGS = 24
_BUCKETS = _EACH_DOUBLING * _DOUBLINGS + 1
# What is counted besides requests and errors, by the names it has in the metrics.
EVENTS = (
    "cache_hits",
    "cache_misses",
    "connections",
    "connections_refused",
    "frames_rejected",
    "generations_opened",
    "looks",
    "jobs_started",
    "jobs_done",
    "jobs_failed",
    "jobs_cancelled",
    "jobs_refused",
    "answers_dropped",
    "meaning_dropped",
)


class Histogram:
    """Durations by bucket; bucket n holds those up to `_LEAST_MS * 2 ** (n / 8)`."""

    def __init__(self) -> None:
        self.count = 0
        self.total_ms = 0.0
        self._buckets = array("Q", bytes(8 * _BUCKETS))

    def add(self, took_ms: float) -> None:
        self.count += 1
        self.total_ms += took_ms
        bucket = math.ceil(_EACH_DOUBLING * math.log2(took_ms / _LEAST_MS)) if took_ms > _LEAST_MS else 0
        self._buckets[min(bucket, _BUCKETS - 1)] += 1

    def percentile(self, share: float) -> float:
        """The duration that this share of all stays below: the middle of a bucket."""
        wanted = max(1, math.ceil(share * self.count))
        seen = 0
        for bucket, count in enumerate(self._buckets):
            seen += count
            if seen >= wanted:
                return float(_LEAST_MS * 2 ** ((bucket - 0.5) / _EACH_DOUBLING))
        return 0.0

    def doublings(self) -> list[tuple[float, int]]:
        """Durations in milliseconds, each twice the one before, and how many took no longer."""
        found, seen = [], 0
        for bucket, count in enumerate(self._buckets[:-1]):
            seen += count
            if bucket % _EACH_DOUBLING == 0:
                found.append((_LEAST_MS * 2 ** (bucket // _EACH_DOUBLING), seen))
        return found


class Vitals:
    """The counters of one daemon."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.started = time.monotonic()
        self._wanted = self.started
        self._requests: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._events: Counter[str] = Counter(dict.fromkeys(EVENTS, 0))
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
        """One of `EVENTS` has happened."""
        with self._lock:
            self._events[name] += 1

    def wanted(self) -> None:
        """Somebody wants something, if only to be waited for: idleness begins anew."""
        self._wanted = time.monotonic()

    def connected(self, change: int) -> None:
        with self._lock:
            self.connections += change
            self._events["connections"] += change > 0
            self._wanted = time.monotonic()

    @property
    def idle_s(self) -> float:
        """Since somebody came or was answered last."""
        return time.monotonic() - self._wanted

    @property
    def uptime_s(self) -> float:
        return time.monotonic() - self.started

    def counts(self) -> tuple[int, int]:
        """Queries and errors so far."""
        with self._lock:
            queries = sum(self._requests[name] for name in ("run", "query", "query_fts", "query_hybrid"))
            return queries, sum(self._errors.values())

    def to_json(self, *, whole: bool = False) -> dict[str, Any]:
        """`whole`: with the histograms themselves."""
        queries, _ = self.counts()
        with self._lock:
            return {
                "uptime_s": round(self.uptime_s, 1),
                "connections": self.connections,
                "queries": queries,
                "requests": dict(self._requests),
                "errors": dict(self._errors),
                "events": dict(self._events),
                "latency_ms": {name: _latency(found, whole) for name, found in self._latencies.items()},
            }


def _latency(found: Histogram, whole: bool) -> dict[str, Any]:
    percentiles = {f"p{share}": round(found.percentile(share / 100), 3) for share in (50, 95, 99)}
    said: dict[str, Any] = {**percentiles, "count": found.count, "sum": round(found.total_ms, 3)}
    if whole:
        said["buckets"] = [[round(most_ms, 5), count] for most_ms, count in found.doublings()]
    return said
