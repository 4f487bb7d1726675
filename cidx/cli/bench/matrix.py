"""The comparison as lines of a terminal: both ways side by side, the criteria, the verdict. Pure."""

from collections.abc import Iterator, Sequence

from cidx.cli.bench.measurements import Crowd, Measurements
from cidx.cli.bench.verdict import Criterion, word

LABELS = {
    "repeated": "the same again",
    "hybrid": "a new question",
    "full_text": "a new one, by words",
    "semantic": "a new one, by meaning",
}
_FIRST, _OTHER = 26, 13


def lines(measured: Measurements, criteria: Sequence[Criterion]) -> Iterator[str]:
    """All of it, without what it was measured on."""
    yield from _comparison(measured)
    yield ""
    yield from _rest(measured)
    yield ""
    for criterion in criteria:
        met = "met" if criterion.met else "missed"
        yield f"{criterion.what:<36}{_value(criterion):>14}   {_limit(criterion):<16}{met}"
    yield ""
    yield word(criteria)


def rows(measured: Measurements) -> list[tuple[str, float, float | None, float]]:
    """What it is, and its milliseconds without a daemon, with one that has to be started, with a warm one."""
    first, start, cold = {"hybrid": measured.cold.total.median}, measured.start, measured.cold
    found = [
        (LABELS[name], pair.without.median, first.get(name), pair.warm.median)
        for name, pair in measured.kinds.items()
    ]
    return [*found, ("starting up alone", start.without.median, cold.ready.median, start.warm.median)]


def milliseconds(value: float) -> str:
    return f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms"


def _comparison(measured: Measurements) -> Iterator[str]:
    yield _row("cidx query, start to end", "no daemon", "cold daemon", "warm daemon", "saved")
    for what, without, cold, warm in rows(measured):
        times = (milliseconds(without), "" if cold is None else milliseconds(cold), milliseconds(warm))
        yield _row(f"  {what}", *times, f"{100 * (1 - warm / without):.0f} %")


def _row(first: str, *others: str) -> str:
    *times, last = others
    return f"{first:<{_FIRST}}" + "".join(f"{cell:>{_OTHER}}" for cell in times) + f"{last:>9}"


def _rest(measured: Measurements) -> Iterator[str]:
    wire, cold, memory = measured.wire, measured.cold, measured.memory
    facts = [
        _crowd("one after the other", measured.consecutive),
        _crowd(f"{measured.concurrent.clients} clients at once", measured.concurrent),
        ("a ping", f"{wire.ping.median:.2f} ms, p99 {wire.ping.below(0.99):.2f} ms, on an open connection"),
        (
            "a new one, on the wire",
            f"{milliseconds(wire.query.mean)} on average, {milliseconds(wire.daemon_ms)} of it in the daemon",
        ),
        (
            "a daemon's start",
            f"ready after {milliseconds(cold.ready.median)}, then the first query in {milliseconds(cold.first.median)}",
        ),
        (
            "its memory",
            f"{memory.samples[0] / 1e6:.1f} MB of its own, {memory.growth_bytes / 1e6:+.1f} MB "
            f"after {len(memory.samples) - 1} queries",
        ),
        ("its CPU", f"{measured.cpu_s:.2f} s, {milliseconds(measured.cpu_ms)} a query"),
    ]
    for what, value in facts:
        yield f"{what:<{_FIRST}}{value}"


def _crowd(what: str, crowd: Crowd) -> tuple[str, str]:
    took = crowd.took
    failed = f", {len(crowd.failures)} failed: {crowd.failures[0]}" if crowd.failures else ""
    return what, (
        f"{crowd.asked} in {crowd.wall_s:.1f} s, half within {milliseconds(took.median)}, "
        f"99 % within {milliseconds(took.below(0.99))}{failed}"
    )


def _value(criterion: Criterion) -> str:
    if criterion.unit == "queries":
        return f"{criterion.value:.0f} of {criterion.limit:.0f}"
    return f"{criterion.value:.1f} {criterion.unit}"


def _limit(criterion: Criterion) -> str:
    if criterion.unit == "queries":
        return "all"
    return f"{criterion.bound} {criterion.limit:.0f} {criterion.unit}"
