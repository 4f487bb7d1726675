"""The comparison as a picture: an SVG with the times as bars and the daemon's memory over the queries. Pure."""

from collections.abc import Iterator

from cidx.cli.bench import matrix
from cidx.cli.bench.drawing import line, page, rectangle, text
from cidx.cli.bench.measurements import Measurements, Memory

_WIDTH, _LEFT, _RIGHT = 760, 190, 90
_ROOM = _WIDTH - _LEFT - _RIGHT
_BAR, _GAP = 14, 14
_CHART = 140
_GREY = "#8a8f98"
_WAYS = (("no daemon", _GREY), ("cold daemon", "#d9a441"), ("warm daemon", "#2f8f5b"))


def svg(measured: Measurements, *, title: str, verdict: str) -> str:
    """A whole file. The title may be any text."""
    body = [
        text(20, 30, f"{title}: {verdict}", size=16),
        *_legend(50),
    ]
    bars, bottom = _bars(measured, 76)
    body += [*bars, *_memory(measured.memory, measured.consecutive.asked, bottom + 40)]
    height = bottom + 40 + _CHART + 40
    return page(_WIDTH, height, body)


def _legend(y: int) -> Iterator[str]:
    for number, (name, colour) in enumerate(_WAYS):
        x = _LEFT + number * 130
        yield rectangle(x, y - 10, 10, 10, colour)
        yield text(x + 16, y, name)


def _bars(measured: Measurements, y: int) -> tuple[list[str], int]:
    """One for each way of each row; and where they end."""
    found = []
    rows = matrix.rows(measured)
    longest = max(value for _, *values in rows for value in values if value is not None)
    for what, *values in rows:
        found.append(text(_LEFT - 10, y + 11, what, anchor="end"))
        for value, (_, colour) in zip(values, _WAYS, strict=True):
            if value is not None:
                length = value / longest * _ROOM
                found.append(rectangle(_LEFT, y, max(1.0, length), _BAR - 2, colour))
                found.append(text(_LEFT + length + 6, y + 10, matrix.milliseconds(value)))
                y += _BAR
        y += _GAP
    return found, y


def _memory(memory: Memory, consecutive: int, y: int) -> Iterator[str]:
    """From zero, so that what is flat looks flat."""
    points = memory.thinned()
    last, most = max(1, points[-1][0]), max(1, *(size for _, size in points))
    bottom = y + _CHART

    def at(queries: float, size: float) -> tuple[float, float]:
        return _LEFT + queries / last * _ROOM, bottom - size / most * _CHART

    yield text(20, y - 12, "the daemon's own memory, query by query")
    yield line([(_LEFT, y), (_LEFT, bottom), (_LEFT + _ROOM, bottom)], _GREY, width=1)
    yield text(_LEFT - 10, y + 5, f"{most / 1e6:.1f} MB", anchor="end")
    yield text(_LEFT - 10, bottom, "0", anchor="end")
    yield text(_LEFT + _ROOM, bottom + 18, f"{points[-1][0]} queries", anchor="end")
    middle, _ = at(min(consecutive, last), 0)
    yield line([(middle, y), (middle, bottom)], _GREY, width=1, dashes="3 3")
    yield text(middle + 6, bottom - 8, "at once")
    yield line([at(*point) for point in points], _WAYS[-1][1], width=2)
