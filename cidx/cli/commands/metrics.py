"""`cidx metrics`: what the daemon has counted, for programs that collect it."""

from collections.abc import Iterator
from typing import Any

import click

from cidx.api.errors import CidxError, Code
from cidx.cli.application import Command
from cidx.cli.commands.status import ask_daemon, service_of, socket_path
from cidx.cli.options import json_option
from cidx.cli.session import Session


@click.command(cls=Command)
@json_option("Answer in JSON (the default).")
@click.option("--prometheus", is_flag=True, help="Answer as Prometheus text.")
@click.pass_obj
def command(session: Session, as_json: bool, prometheus: bool) -> None:
    """Show what the daemon has counted: requests, errors, cache, latencies, memory."""
    from cidx.cli import render

    repository = session.repository()
    found = ask_daemon(session, repository, "metrics")
    if found is None:
        state = service_of(session, repository)[1]
        raise CidxError(
            Code.UNREACHABLE,
            what=f"no daemon answers for {repository.root}",
            why=(
                f"its service is {state.word}, and only queries wake a daemon"
                if state
                else f"nobody listens on {socket_path(session, repository)}"
            ),
            next_step="cidx service status" if state else "cidx service install, or: cidx daemon serve",
        )
    if prometheus and not as_json:
        for line in _prometheus(found):
            session.out.line(line)
    else:
        session.out.line(render.dump(found))


def _prometheus(found: dict[str, Any]) -> Iterator[str]:
    yield from _metric("cidx_uptime_seconds", "gauge", {"": found["uptime_s"]})
    yield from _metric("cidx_connections", "gauge", {"": found["connections"]})
    yield from _metric("cidx_resident_bytes", "gauge", {"": found["memory"]["rss_bytes"]})
    yield from _metric("cidx_cache_open", "gauge", {"": int(found["cache"]["open"])})
    for name, label in (("requests", "operation"), ("errors", "code"), ("events", "event")):
        yield from _metric(
            f"cidx_{name}_total",
            "counter",
            {f'{{{label}="{key}"}}': value for key, value in found[name].items()},
        )
    latencies = found["latency_ms"].items()
    yield "# TYPE cidx_latency_seconds summary"
    for operation, values in latencies:
        for quantile in (50, 95, 99):
            labels = f'operation="{operation}",quantile="{quantile / 100}"'
            yield f"cidx_latency_seconds{{{labels}}} {values[f'p{quantile}'] / 1000:.6f}"
        yield f'cidx_latency_seconds_sum{{operation="{operation}"}} {values["sum"] / 1000:.6f}'
        yield f'cidx_latency_seconds_count{{operation="{operation}"}} {values["count"]}'


def _metric(name: str, kind: str, values: dict[str, Any]) -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    for labels, value in values.items():
        yield f"{name}{labels} {value}"
