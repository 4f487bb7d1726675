"""Log records as a fixed phrase and `key=value` fields, the same for terminal, journal and launchd.

Query text and source lines never appear above debug.
"""

import logging
from typing import Any

LOGGER = "cidx"
_FIELDS = "cidx_fields"


def get() -> logging.Logger:
    return logging.getLogger(LOGGER)


def fields(**values: Any) -> dict[str, dict[str, Any]]:
    """What goes to `extra=` of a log call."""
    return {_FIELDS: values}


class Formatter(logging.Formatter):
    """`index published generation=3 took_ms=12.5`."""

    def format(self, record: logging.LogRecord) -> str:
        values: dict[str, Any] = getattr(record, _FIELDS, {})
        return " ".join([record.getMessage(), *(f"{name}={_plain(value)}" for name, value in values.items())])


def _plain(value: Any) -> str:
    text = f"{value:.1f}" if isinstance(value, float) else str(value)
    return repr(text) if not text or any(character.isspace() for character in text) else text
