"""What a daemon counts: every path moves its own counter, percentiles are nearly right, and Prometheus can read it."""

import json
import math
import random
import socket
import struct
import time
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cidx.daemon.vitals import EVENTS, Histogram
from tests.daemon.kit import Daemon, serving
from tests.kit import Tree

PATIENCE_S = 20.0


@pytest.fixture
def indexed(tree: Tree) -> Tree:
    tree.write({"a.py": "def needle():\n    return 1\n"}).commit()
    tree.index()
    return tree


def metrics(daemon: Daemon) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(daemon.ask("metrics"))
    return found


@pytest.mark.parametrize("spread", [0.1, 1.5, 3.0])
def test_percentiles_are_right_to_a_half_bucket(spread: float) -> None:
    dice = random.Random(1)
    histogram = Histogram()
    taken = sorted(dice.lognormvariate(1, spread) for _ in range(5000))
    for took_ms in taken:
        histogram.add(took_ms)
    for share in (0.01, 0.5, 0.95, 0.99, 1.0):
        true = taken[math.ceil(share * len(taken)) - 1]
        if true > 0.01:
            assert histogram.percentile(share) == pytest.approx(true, rel=0.045)


def test_a_histogram_takes_any_duration() -> None:
    histogram = Histogram()
    for took_ms in (0.0, 1e-9, 0.01, 0.02, 1e12):
        histogram.add(took_ms)
    below = dict(histogram.doublings())
    assert (below[0.01], below[0.02], max(below.values())) == (3, 4, 4)
    assert histogram.count == 5
    assert Histogram().percentile(0.5) == 0.0


def test_all_counters_are_there_from_the_start(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        assert set(metrics(daemon)["events"]) == set(EVENTS)


def test_every_path_moves_its_counter(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        root = str(indexed.root)
        daemon.run("query", "-q", "needle")
        daemon.run("query", "-q", "needle")
        daemon.run("query", "-q", "")
        for method, arguments in (
            ("ping", ()),
            ("hello", ((1, "x", 1),)),
            ("cancel", ("nobody",)),
            ("query", (root, "needle")),
            ("query_fts", (root, "needle")),
            ("query_hybrid", (root, "needle")),
            ("similar", (root, "a.py:1")),
            ("symbols", (root, "needle")),
            ("refs", (root, "needle")),
            ("job_cancel", ("none",)),
            ("get_status", ()),
            ("health", ()),
            ("clear_cache", ()),
        ):
            before = metrics(daemon)["requests"].get(method, 0)
            daemon.ask(method, *arguments)
            counted = metrics(daemon)
            assert counted["requests"][method] == before + 1, method
            assert counted["latency_ms"][method]["count"] == before + 1, method
        found = metrics(daemon)
        assert found["requests"]["run"] == 3
        assert found["errors"] == {"bad-query": 1}
        events = found["events"]
        for name in ("cache_hits", "looks", "generations_opened"):
            assert events[name] > 0, name
        assert events["cache_misses"] > 0
        assert events["connections"] >= 20


def test_wrong_arguments_and_methods_are_counted(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        with daemon.connect() as connection:
            with pytest.raises(Exception, match="ping"):
                connection.root.ping("too", "many")
            with pytest.raises(Exception, match="method"):
                connection.root.no_such_method()
        found = metrics(daemon)
        assert found["errors"] == {"usage": 1}
        assert found["events"]["frames_rejected"] > 0


@pytest.mark.parametrize("frame", [struct.pack("!LB", 2**31, 0), b"\0\0\0\5\0hello\n", b"\0\0\0\5\1hello\n"])
def test_frames_that_are_none_are_counted(indexed: Tree, frame: bytes) -> None:
    with serving(indexed) as daemon:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(daemon.path)
            client.sendall(frame)
            assert client.recv(1) == b""
        assert metrics(daemon)["events"]["frames_rejected"] == 1


def test_jobs_are_counted_by_their_ends(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        job = json.loads(daemon.ask("index", str(indexed.root)))
        end = time.monotonic() + PATIENCE_S
        while job["state"] == "running" and time.monotonic() < end:
            job = json.loads(daemon.ask("job_poll", job["id"], job["seen"], 5))
        events = metrics(daemon)["events"]
        assert (events["jobs_started"], events["jobs_done"], events["jobs_failed"]) == (1, 1, 0)


def test_prometheus_reads_what_the_json_says(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        daemon.run("query", "-q", "needle")
        daemon.run("query", "-q", "")
        here = {"XDG_RUNTIME_DIR": daemon.runtime}
        text = indexed.run("metrics", "--prometheus", environment=here).out
        samples: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        kinds = {}
        for family in text_string_to_metric_families(text):
            kinds[family.name] = family.type
            assert family.documentation
            for sample in family.samples:
                samples[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    assert set(kinds.values()) == {"gauge", "counter", "histogram"}
    assert samples["cidx_requests_total", (("operation", "run"),)] == 2
    assert samples["cidx_errors_total", (("code", "bad-query"),)] == 1
    assert samples["cidx_generation", ()] == 1
    assert samples["cidx_private_bytes", ()] > 10_000_000
    assert samples["cidx_answers_kept_total", (("lookup", "miss"),)] > 0
    buckets = [
        (float(dict(labels)["le"]), value)
        for (name, labels), value in samples.items()
        if name == "cidx_request_seconds_bucket" and dict(labels)["operation"] == "run"
    ]
    assert buckets == sorted(buckets)
    assert [value for _, value in buckets] == sorted(value for _, value in buckets)
    assert buckets[-1] == (math.inf, 2)
