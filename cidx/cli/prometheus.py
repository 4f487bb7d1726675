"""What the daemon has counted, as Prometheus reads it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# Events that are one metric by what came of them: the metric, its label, and the events by the label's values.
_FAMILIES = (
    ("cidx_answers_kept", "lookup", {"hit": "cache_hits", "miss": "cache_misses"}),
    (
        "cidx_jobs",
        "state",
        {state: f"jobs_{state}" for state in ("started", "done", "failed", "cancelled", "refused")},
    ),
)
_PRESSURES = ("calm", "high", "critical")


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The text format, a line each."""
    yield from _gauges(found)
    yield from _counters(found)
    yield from _latencies(found["latency_ms"])


def _gauges(found: Mapping[str, Any]) -> Iterator[str]:
    cache, memory = found["cache"], found["memory"]
    values = (
        ("cidx_uptime_seconds", "since the daemon was started", found["uptime_s"]),
        ("cidx_open_connections", "clients that are connected", found["connections"]),
        ("cidx_threads", "threads of the daemon", found["threads"]),
        ("cidx_descriptors", "descriptors that are open", found["descriptors"]),
        ("cidx_generation", "the open generation; 0: none is open", cache["generation"] or 0),
        ("cidx_index_files", "files of the open generation", cache["files"]),
        ("cidx_index_chunks", "chunks of the open generation", cache["chunks"]),
        ("cidx_cached_bytes", "bytes of vectors and answers that are held", cache["bytes"]),
        ("cidx_kept_answers", "answers that are kept", cache["answers"]),
        ("cidx_changed_files", "files that differ from the open generation", cache["changed_files"]),
        ("cidx_watched_folders", "folders that are watched", cache["watched_folders"]),
        ("cidx_private_bytes", "memory of the daemon's own", memory["private_bytes"]),
        ("cidx_resident_bytes", "memory with what is shared", memory["rss_bytes"]),
        ("cidx_memory_limit_bytes", "what the daemon keeps within", memory["limit_bytes"]),
        ("cidx_lean", "1 while words alone answer, for want of memory", int(memory["lean"])),
        ("cidx_memory_pressure", "0 calm, 1 high, 2 critical", _PRESSURES.index(memory["pressure"])),
        ("cidx_jobs_waiting", "jobs that wait for another to end", _jobs(found, "waiting")),
        ("cidx_jobs_running", "jobs that run", _jobs(found, "running")),
    )
    for name, help_text, value in values:
        yield from _family(name, "gauge", help_text, [("", value)])


def _jobs(found: Mapping[str, Any], state: str) -> int:
    return sum(job["state"] == state for job in found["jobs"])


def _counters(found: Mapping[str, Any]) -> Iterator[str]:
    for name, label, help_text, values in (
        ("cidx_requests_total", "operation", "requests that were answered", found["requests"]),
        ("cidx_errors_total", "code", "requests that ended with an error", found["errors"]),
    ):
        yield from _family(name, "counter", help_text, [(_label(label, key), n) for key, n in values.items()])
    events = dict(found["events"])
    for name, label, by_value in _FAMILIES:
        samples = [(_label(label, value), events.pop(event)) for value, event in by_value.items()]
        yield from _family(f"{name}_total", "counter", f"{name.removeprefix('cidx_')} by {label}", samples)
    for event, count in events.items():
        yield from _family(f"cidx_{event}_total", "counter", event.replace("_", " "), [("", count)])


def _latencies(latencies: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    name = "cidx_request_seconds"
    yield f"# HELP {name} how long requests took"
    yield f"# TYPE {name} histogram"
    for operation, values in latencies.items():
        for most_ms, count in values["buckets"]:
            yield f"{name}_bucket{_label('operation', operation, le=f'{most_ms / 1000:.9g}')} {count}"
        yield f"{name}_bucket{_label('operation', operation, le='+Inf')} {values['count']}"
        yield f"{name}_sum{_label('operation', operation)} {values['sum'] / 1000:.9g}"
        yield f"{name}_count{_label('operation', operation)} {values['count']}"


def _family(name: str, kind: str, help_text: str, samples: Iterable[tuple[str, float]]) -> Iterator[str]:
    yield f"# HELP {name} {help_text}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        yield f"{name}{labels} {value}"


def _label(name: str, value: str, **others: str) -> str:
    pairs = {name: value, **others}
    return "{" + ",".join(f'{key}="{text}"' for key, text in pairs.items()) + "}"
