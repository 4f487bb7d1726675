"""Line charts for the documentation: panels above each other with one axis."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cidx.cli.bench.drawing import line, page, rectangle, text

_WIDTH, _LEFT, _RIGHT = 760, 70, 20
_PANEL, _GAP = 130, 44
# So few points are shown, each by itself.
_FEW = 20
_COLOURS = ("#2f6fb3", "#d9a441", "#2f8f5b", "#b3402f")


@dataclass(frozen=True)
class Panel:
    """Some lines over the same axis: `lines` are pairs of x and y by name."""

    title: str
    lines: dict[str, Sequence[tuple[float, float]]]


def svg(title: str, panels: Sequence[Panel], *, axis: str) -> str:
    """A whole file."""
    height = 40 + len(panels) * (_PANEL + _GAP) + 10
    most_x = (
        max((x for panel in panels for points in panel.lines.values() for x, _ in points), default=1.0) or 1.0
    )
    body = [text(_LEFT, 24, title, size=15)]
    for number, panel in enumerate(panels):
        body += _draw(panel, 40 + number * (_PANEL + _GAP) + 16, most_x, axis)
    return page(_WIDTH, height, body)


def _draw(panel: Panel, top: float, most_x: float, axis: str) -> Iterator[str]:
    most_y = max((y for points in panel.lines.values() for _, y in points), default=1.0) * 1.1 or 1.0
    room, bottom = _WIDTH - _LEFT - _RIGHT, top + _PANEL
    yield text(_LEFT, top - 6, panel.title, size=12)
    for share in (0, 0.5, 1):
        y = bottom - share * _PANEL
        yield line([(_LEFT, y), (_WIDTH - _RIGHT, y)], "#ddd", width=1)
        yield text(_LEFT - 6, y + 4, f"{share * most_y:.3g}", anchor="end")
    yield text(_WIDTH - _RIGHT, bottom + 14, f"{most_x:.3g} {axis}", anchor="end")
    for number, (name, points) in enumerate(panel.lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        places = [(_LEFT + x / most_x * room, bottom - y / most_y * _PANEL) for x, y in points]
        yield line(places, colour, width=1.3)
        if len(places) <= _FEW:
            yield from (rectangle(x - 2, y - 2, 4, 4, colour) for x, y in places)
        if len(panel.lines) > 1:
            yield text(_LEFT + 8 + number * 110, bottom + 14, name, colour=colour)
