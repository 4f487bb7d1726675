"""The few shapes of an SVG that pictures of measurements need, and the page around them. Pure."""

from collections.abc import Iterable
from html import escape


def page(width: int, height: float, shapes: Iterable[str]) -> str:
    """A whole file."""
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height:.0f}"'
            f' viewBox="0 0 {width} {height:.0f}" font-family="sans-serif" font-size="12" fill="#222">',
            f'<rect width="{width}" height="{height:.0f}" fill="#fff"/>',
            *shapes,
            "</svg>\n",
        ]
    )


def text(
    x: float, y: float, said: str, *, size: int = 12, anchor: str = "start", colour: str = "#222"
) -> str:
    """Any text: XML knows no control characters, escaped or not, and UTF-8 no half characters."""
    safe = escape("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in said))
    look = f'font-size="{size}" text-anchor="{anchor}" fill="{colour}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{safe}</text>'


def rectangle(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def line(points: Iterable[tuple[float, float]], colour: str, *, width: float = 1.5, dashes: str = "") -> str:
    """From point to point."""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    look = f'fill="none" stroke="{colour}" stroke-width="{width}"' + f' stroke-dasharray="{dashes}"' * bool(
        dashes
    )
    return f'<polyline points="{joined}" {look}/>'
