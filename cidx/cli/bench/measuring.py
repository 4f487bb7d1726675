"""Measures a repository with and without a daemon: whole processes wherever a user would feel it.

What is compared is measured in turns, so that a noisy machine is noisy for both.
"""

import time
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from cidx.cli.bench import asking, programs
from cidx.cli.bench.crowds import Crowds, Report
from cidx.cli.bench.daemon import Daemon, Place, started
from cidx.cli.bench.measurements import Cold, Measurements, Memory, Pair, Times, Wire

# The kinds of questions by the flags they are asked with. The first is asked again and again.
REPEATED = "repeated"
KINDS: dict[str, tuple[str, ...]] = {
    REPEATED: (),
    "hybrid": (),
    "full_text": ("--fts",),
    "semantic": ("--semantic",),
}
_COLD_STARTS = 3
# However slow the machine is, three turns tell; after so long they have to do.
_LEAST_ROUNDS, _TURNS_S = 3, 15.0
_PINGS = 300
_WIRE_QUERIES_A_ROUND = 5


class Plan(NamedTuple):
    """How much is measured."""

    queries: int
    clients: int

    @property
    def rounds(self) -> int:
        """Of what takes turns: as many as ten, for each takes seconds without a daemon."""
        return max(_LEAST_ROUNDS, min(10, self.queries // 10))


def measure(place: Place, texts: Iterator[str], plan: Plan, report: Report) -> Measurements:
    """Everything, with daemons of our own that have ended when this returns."""
    cold = _cold(place, texts, report)
    with started(place) as daemon:
        asked = asking.Wire(place)
        changed_files = asked.changed_files(next(texts))
        kinds, start = _in_turns(place, asked, texts, plan, report)
        spoken = _spoken(daemon, asked, texts, plan, report)
        crowds = Crowds(daemon, report)
        consecutive = crowds.ask(list(islice(texts, plan.queries)), clients=1)
        concurrent = crowds.ask(list(islice(texts, plan.queries)), clients=plan.clients)
        return Measurements(
            kinds=kinds,
            start=start,
            cold=cold,
            wire=spoken,
            consecutive=consecutive,
            concurrent=concurrent,
            memory=Memory(tuple(crowds.samples)),
            cpu_s=crowds.cpu_s,
            changed_files=changed_files,
        )


def _cold(place: Place, texts: Iterator[str], report: Report) -> Cold:
    ready, first = [], []
    for number in range(_COLD_STARTS):
        report("a daemon's start", number, _COLD_STARTS)
        with started(place) as daemon:
            ready.append(daemon.ready_s)
            first.append(asking.answered(place, next(texts)))
    total = [one + other for one, other in zip(ready, first, strict=True)]
    return Cold(ready=Times.of(ready), first=Times.of(first), total=Times.of(total))


def _in_turns(
    place: Place, asked: asking.Wire, texts: Iterator[str], plan: Plan, report: Report
) -> tuple[dict[str, Pair], Pair]:
    """Each kind of question both ways, and what getting ready to answer or to ask takes of it."""
    again = next(texts)
    for flags in KINDS.values():
        # Whatever has to be read or imported once has been then.
        asking.answered(place, again, *flags)
    asked.query(again)
    bare = programs.imports(_modules(place, again))
    without: dict[str, list[float]] = {name: [] for name in KINDS}
    warm: dict[str, list[float]] = {name: [] for name in KINDS}
    imports, clients = [], []
    began = time.monotonic()
    for number in range(plan.rounds):
        if number >= _LEAST_ROUNDS and time.monotonic() - began > _TURNS_S:
            break
        report("with and without a daemon", number, plan.rounds)
        for name, flags in KINDS.items():
            text = again if name == REPEATED else next(texts)
            without[name].append(asking.answered(place, text, "--standalone", *flags))
            warm[name].append(asking.answered(place, text, *flags))
        clients.append(max(0.0, warm[REPEATED][-1] - asked.query(again)))
        imports.append(programs.run(bare, directory=place.root, environment=place.environment).took_s)
    kinds = {name: Pair(without=Times.of(without[name]), warm=Times.of(warm[name])) for name in KINDS}
    return kinds, Pair(without=Times.of(imports), warm=Times.of(clients))


def _spoken(daemon: Daemon, asked: asking.Wire, texts: Iterator[str], plan: Plan, report: Report) -> Wire:
    """The wire: pings, and questions of which the daemon says how long they took there."""
    report("the wire", 0, 1)
    pings = asked.pings(_PINGS)
    before = _said(daemon)["latency_ms"]["run"]
    took = [asked.query(text) for text in islice(texts, plan.rounds * _WIRE_QUERIES_A_ROUND)]
    after = _said(daemon)["latency_ms"]["run"]
    mean_ms = (after["sum"] - before["sum"]) / (after["count"] - before["count"])
    return Wire(ping=Times.of(pings), query=Times.of(took), daemon_ms=mean_ms)


def _said(daemon: Daemon) -> dict[str, dict[str, dict[str, float]]]:
    status = daemon.status()
    if status is None:
        raise asking.failed("the daemon no longer answers")
    return status


def _modules(place: Place, text: str) -> list[str]:
    """What an answer without a daemon imports."""
    command = [*programs.heavy("-X", "importtime"), "--standalone", "query", "--", text]
    ended = programs.run(command, directory=place.root, environment=place.environment)
    return programs.imported(ended.err)
