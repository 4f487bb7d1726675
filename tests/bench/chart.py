"""Line charts for the documentation: an SVG written by hand, panels above each other with one axis of time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LEFT, _RIGHT = 760, 70, 20
_PANEL, _GAP = 130, 44
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
        max((x for panel in panels for line in panel.lines.values() for x, _ in line), default=1.0) or 1.0
    )
    body = [_text(_LEFT, 24, title, size=15)]
    for number, panel in enumerate(panels):
        body += _draw(panel, 40 + number * (_PANEL + _GAP) + 16, most_x, axis)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
            f' viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="11" fill="#222">',
            f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
            *body,
            "</svg>\n",
        ]
    )


def _draw(panel: Panel, top: float, most_x: float, axis: str) -> Iterator[str]:
    most_y = max((y for line in panel.lines.values() for _, y in line), default=1.0) * 1.1 or 1.0
    room, bottom = _WIDTH - _LEFT - _RIGHT, top + _PANEL
    yield _text(_LEFT, top - 6, panel.title, size=12)
    for share in (0, 0.5, 1):
        y = bottom - share * _PANEL
        yield f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="#ddd"/>'
        yield _text(_LEFT - 6, y + 4, f"{share * most_y:.3g}", anchor="end")
    yield _text(_WIDTH - _RIGHT, bottom + 14, f"{most_x:.3g} {axis}", anchor="end")
    for number, (name, line) in enumerate(panel.lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(
            f"{_LEFT + x / most_x * room:.1f},{bottom - y / most_y * _PANEL:.1f}" for x, y in line
        )
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.3"/>'
        if len(panel.lines) > 1:
            yield _text(_LEFT + 8 + number * 110, bottom + 14, name, fill=colour)


def _text(x: float, y: float, text: str, *, size: int = 11, anchor: str = "start", fill: str = "#222") -> str:
    found = f'font-size="{size}" text-anchor="{anchor}" fill="{fill}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {found}>{escape(text)}</text>'
