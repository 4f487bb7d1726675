"""Commands, session and rendering: the one place that puts the parts together."""

from cidx.cli.application import run

__all__ = ["run"]
