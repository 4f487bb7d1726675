"""Log records as a fixed phrase and `key=value` fields, the same for terminal, journal and launchd.

Query text and source lines never appear above debug. A record is one line, whatever is in it: a traceback too.
"""

import logging
import os
import threading
import time
from collections.abc import Mapping
from typing import Any

from cidx.api.errors import CidxError, Code

LOGGER = "cidx"
# The variable that says from which level on there are records.
LEVEL = "CIDX_LOG"
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_FIELDS = "cidx_fields"
# How many records of one phrase come at once, and a second.
_ERRORS, _OTHERS = (20.0, 1.0), (500.0, 20.0)


def get() -> logging.Logger:
    return logging.getLogger(LOGGER)


def fields(**values: Any) -> dict[str, dict[str, Any]]:
    """What goes to `extra=` of a log call."""
    return {_FIELDS: values}


def level(environment: Mapping[str, str]) -> int:
    """As CIDX_LOG says; info by default."""
    name = environment.get(LEVEL) or "info"
    if name not in LEVELS:
        raise CidxError(
            Code.USAGE,
            what=f"{LEVEL} can't be {name!r}",
            why=f"it is one of {', '.join(LEVELS)}",
            next_step=f"correct it, or unset {LEVEL}",
        )
    return LEVELS[name]


class Formatter(logging.Formatter):
    """`index published generation=3 took_ms=12.5`."""

    def format(self, record: logging.LogRecord) -> str:
        values: dict[str, Any] = getattr(record, _FIELDS, {})
        text = " ".join([record.getMessage(), *(f"{name}={_plain(value)}" for name, value in values.items())])
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text.replace("\n", "\\n")


class Bounded(logging.Filter):
    """Lets so many records of each phrase through at once, and so many a second after that; the next one tells how many
    were left out. A storm of errors fills no disk.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        # By phrase: how many may still come, since when, and how many were left out.
        self._phrases: dict[str, tuple[float, float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        burst, each_second = _ERRORS if record.levelno >= logging.WARNING else _OTHERS
        now = time.monotonic()
        with self._lock:
            room, since, left_out = self._phrases.get(record.msg, (burst, now, 0))
            room = min(burst, room + (now - since) * each_second)
            passes = room >= 1
            self._phrases[record.msg] = (room - passes, now, 0 if passes else left_out + 1)
        if passes and left_out:
            setattr(record, _FIELDS, {**getattr(record, _FIELDS, {}), "left_out": left_out})
        return passes


class TimedFormatter(Formatter):
    """With the time, for a file that nothing else puts it into, as launchd's."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{self.formatTime(record)} {record.levelname.lower()} {super().format(record)}"


class PriorityFormatter(Formatter):
    """With the priority in front, as the journal reads it from a stream."""

    def format(self, record: logging.LogRecord) -> str:
        return f"<{_priority(record.levelno)}>{super().format(record)}"


class JournalHandler(logging.Handler):
    """Records with their fields as the journal's own: `CIDX_OP=query` finds every query."""

    def __init__(self, **constant: str) -> None:
        super().__init__()
        from systemd import journal

        self._send = journal.send
        self._constant = {f"CIDX_{name.upper()}": value for name, value in constant.items()}
        self.setFormatter(Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        values: dict[str, Any] = getattr(record, _FIELDS, {})
        if record.exc_info:
            values = {**values, "traceback": logging.Formatter().formatException(record.exc_info)}
        try:
            self._send(
                self.format(record),
                PRIORITY=str(_priority(record.levelno)),
                CODE_FILE=record.pathname,
                CODE_LINE=record.lineno,
                CODE_FUNC=record.funcName,
                SYSLOG_IDENTIFIER=LOGGER,
                **self._constant,
                **{f"CIDX_{name.upper()}": _text(value) for name, value in values.items()},
            )
        except OSError:
            # The journal is away; nobody is served worse for that.
            return


def supervised(environment: Mapping[str, str], *, repository: str) -> logging.Handler | None:
    """The handler for a process that a supervisor started and whose stderr it keeps; None for any other."""
    if _is_journal(environment.get("JOURNAL_STREAM", "")):
        try:
            return JournalHandler(repo=repository)
        except ImportError:
            handler: logging.Handler = logging.StreamHandler()
            handler.setFormatter(PriorityFormatter())
            return handler
    if environment.get("XPC_SERVICE_NAME", "").startswith("dev.cidx."):
        handler = logging.StreamHandler()
        handler.setFormatter(TimedFormatter())
        return handler
    return None


def _is_journal(stream: str) -> bool:
    """Whether our stderr is the one that systemd connected to the journal: `device:inode`."""
    try:
        found = os.fstat(2)
    except OSError:
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"


# Of syslog(3), from the gravest level down.
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))


def _priority(levelno: int) -> int:
    return next(number for least, number in _PRIORITIES if levelno >= least)


def _text(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> str:
    text = f"{value:.1f}" if isinstance(value, float) else str(value)
    return text if text.isprintable() and text and " " not in text else repr(text)
