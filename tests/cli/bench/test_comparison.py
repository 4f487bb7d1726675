"""What is made of measurements: values, criteria, the matrix and the picture."""

import json
from typing import Any
from xml.etree import ElementTree

import pytest

from cidx.cli.bench import matrix, plot, verdict
from cidx.cli.bench.measurements import Cold, Crowd, Measurements, Memory, Pair, Times, Wire

SVG = "{http://www.w3.org/2000/svg}"


def times(*ms: float) -> Times:
    return Times(ms)


def crowd(*, asked: int = 100, failures: tuple[str, ...] = (), clients: int = 1) -> Crowd:
    return Crowd(clients=clients, asked=asked, wall_s=1.0, took=times(20, 30), failures=failures)


GOOD = Measurements(
    kinds={name: Pair(without=times(300), warm=times(15)) for name in matrix.LABELS},
    start=Pair(without=times(200), warm=times(10)),
    cold=Cold(ready=times(400), first=times(50), total=times(450)),
    wire=Wire(ping=times(0.2, 0.3), query=times(9), daemon_ms=7.5),
    consecutive=crowd(),
    concurrent=crowd(clients=10),
    memory=Memory((30_000_000, 30_500_000, 31_000_000)),
    cpu_s=1.6,
    changed_files=0,
)


def judged(**changes: Any) -> tuple[str, list[str]]:
    """The verdict, and the criteria that are missed."""
    criteria = verdict.criteria(GOOD._replace(**changes))
    return verdict.word(criteria), [criterion.name for criterion in criteria if not criterion.met]


def saving(percent: float) -> dict[str, Pair]:
    return {name: Pair(without=times(1000), warm=times(1000 - 10 * percent)) for name in matrix.LABELS}


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({}, []),
        ({"kinds": saving(30)}, []),
        ({"kinds": saving(29.9)}, ["faster"]),
        ({"kinds": saving(-20)}, ["faster"]),
        ({"wire": GOOD.wire._replace(query=times(107.4), daemon_ms=7.5)}, []),
        ({"wire": GOOD.wire._replace(query=times(107.5), daemon_ms=7.5)}, ["rpc"]),
        ({"start": Pair(without=times(200), warm=times(99.9))}, []),
        ({"start": Pair(without=times(200), warm=times(100))}, ["start"]),
        ({"consecutive": crowd(failures=("exit code 70",))}, ["consecutive"]),
        ({"concurrent": crowd(failures=("exit code 70",), clients=10)}, ["concurrent"]),
        ({"consecutive": crowd(asked=7)}, []),
        ({"memory": Memory((0, *[0] * 99, 99_900_000))}, []),
        ({"memory": Memory((0, *[0] * 99, 100_000_000))}, ["memory"]),
        ({"memory": Memory((0, *[0] * 49, 50_000_000))}, ["memory"]),
        ({"memory": Memory((50_000_000, 20_000_000))}, []),
        ({"kinds": saving(0), "concurrent": crowd(failures=("x",))}, ["faster", "concurrent"]),
    ],
)
def test_every_criterion_has_its_boundary(changes: dict[str, Any], missed: list[str]) -> None:
    assert judged(**changes) == ("NO-GO" if missed else "GO", missed)


def test_a_value_is_judged_as_it_is_shown() -> None:
    """29.96 reads as 30.0, and is met."""
    measured = GOOD._replace(kinds=saving(29.96))
    shown = next(iter(verdict.criteria(measured)))
    assert (shown.value, shown.met) == (30.0, True)


def test_slow_kinds_are_not_made_up_for_by_many_quick_ones() -> None:
    """Overall is over the time of all kinds, not the mean of their shares."""
    kinds = {
        "repeated": Pair(without=times(10), warm=times(1)),
        "hybrid": Pair(without=times(990), warm=times(899)),
    }
    assert GOOD._replace(kinds=kinds).saved == pytest.approx(0.1)


def test_shares_of_durations() -> None:
    found = times(*range(100, 0, -1))
    assert (found.median, found.below(0.99), found.below(1), found.mean) == (50, 99, 100, 50.5)
    assert times().below(0.99) == times().mean == 0


def test_memory_is_thinned_to_what_anybody_looks_at() -> None:
    thin = Memory(tuple(range(10_001))).thinned()
    assert len(thin) == 200
    assert (thin[0], thin[-1]) == ((0, 0), (10_000, 10_000))
    assert Memory((5, 6, 7)).thinned() == [(0, 5), (1, 6), (2, 7)]
    assert Memory((5,)).thinned() == [(0, 5)]


def test_all_of_it_is_json() -> None:
    found = json.loads(json.dumps(GOOD.to_json()))
    assert found["queries"]["hybrid"]["warm"]["median_ms"] == 15
    assert found["wire"]["overhead_ms"] == 1.5
    assert found["memory"]["growth_per_100_queries_bytes"] == 50_000_000
    assert found["daemon_cpu_ms_per_query"] == 8


def test_the_matrix_fits_a_terminal_and_ends_with_the_verdict() -> None:
    measured = GOOD._replace(concurrent=crowd(failures=("the daemon had gone",) * 3, clients=10))
    lines = list(matrix.lines(measured, verdict.criteria(measured)))
    assert lines[0].split("  ")[-1] == "saved"
    assert lines[2].split() == ["a", "new", "question", "300", "ms", "450", "ms", "15", "ms", "95", "%"]
    assert any("3 failed: the daemon had gone" in line for line in lines)
    assert [line.split()[-1] for line in lines[-8:-2]] == ["met"] * 4 + ["missed", "met"]
    assert "97 of 100" in lines[-4]
    assert lines[-1] == "NO-GO"
    assert max(len(line) for line in matrix.lines(GOOD, verdict.criteria(GOOD))) < 90


def test_the_picture_is_xml_whatever_the_title() -> None:
    title = 'a <b> & "c" \x1b[31m \udc80\n]]>'
    drawn = plot.svg(GOOD, title=title, verdict="GO").encode()
    root = ElementTree.fromstring(drawn)
    assert root.tag == f"{SVG}svg"
    said = [element.text or "" for element in root.iter(f"{SVG}text")]
    assert said[0] == 'a <b> & "c" �[31m ��]]>: GO'
    assert {"300 ms", "450 ms", "15 ms", "31.0 MB", "2 queries"} <= set(said)


def test_the_picture_keeps_its_proportions() -> None:
    root = ElementTree.fromstring(plot.svg(GOOD, title="x", verdict="GO"))
    widths = [float(bar.attrib["width"]) for bar in root.iter(f"{SVG}rect") if bar.attrib["height"] == "12.0"]
    assert len(widths) == 5 * 2 + 2
    assert widths[0] / widths[1] == pytest.approx(300 / 15, rel=0.01)
    line = root.find(f"{SVG}polyline")
    assert line is not None
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert len(points) == 3
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
    # What is nearly flat looks flat.
    assert points[0][1] - points[-1][1] < 0.05 * height
