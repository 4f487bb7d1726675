"""How much memory the daemon holds of its own, how near that is to its limit, and what is given up for it.

Its own is what nobody else holds and the system can't take back: pages of mapped files (vectors, graph, full text, the
model) don't count. Under pressure, in this order: kept answers are dropped; the generation is opened anew without what
meaning needs, and words alone answer; the daemon leaves, and the next question starts another.
"""

import enum
import threading
import time
from collections.abc import Callable
from typing import Protocol

from cidx import log
from cidx.daemon.process import private_bytes, trim

# Shares of the limit: from where on a level is reached, and below which it is left again.
_HIGH, _CRITICAL = 0.7, 0.9
_SLACK = 0.1
# How often is looked, and how often what the heap keeps is given back.
_LOOK_S, _TRIM_S = 0.05, 1.0
# What meaning needs is not opened again sooner; and who has just come does not leave: it would come and leave again.
_LEAN_S, _LEAST_LIFE_S = 60.0, 60.0
# So long all that could be given up was of no use.
_PATIENCE_S = 2.0


class Level(enum.IntEnum):
    """How near the limit is."""

    CALM = 0
    HIGH = 1
    CRITICAL = 2


_FROM = {Level.HIGH: _HIGH, Level.CRITICAL: _CRITICAL}


class Pressure:
    """The level of memory within a limit. A level is left a little below where it is reached."""

    def __init__(self) -> None:
        self.level = Level.CALM

    def note(self, used: int, limit: int) -> Level:
        share = used / limit
        while self.level < Level.CRITICAL and share >= _FROM[Level(self.level + 1)]:
            self.level = Level(self.level + 1)
        while self.level > Level.CALM and share < _FROM[self.level] - _SLACK:
            self.level = Level(self.level - 1)
        return self.level


class Holder(Protocol):
    """Whose memory it is."""

    @property
    def keeps_answers(self) -> bool: ...

    @property
    def is_lean(self) -> bool: ...

    def keep_answers(self, whether: bool) -> None: ...

    def open_anew(self, *, lean: bool) -> None: ...


class Keeper:
    """Keeps the daemon within its limit. Safe to share between threads, of which one looks at a time."""

    def __init__(self, holder: Holder, limit_bytes: Callable[[], int], leave: Callable[[str], None]) -> None:
        self._holder = holder
        self._limit_bytes = limit_bytes
        self._leave = leave
        self._pressure = Pressure()
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._looked = self._trimmed = self._lean_since = 0.0
        self._saved = 0
        self._critical_since: float | None = None

    @property
    def level(self) -> Level:
        return self._pressure.level

    def describe(self) -> dict[str, object]:
        return {
            "private_bytes": private_bytes(),
            "limit_bytes": self._limit_bytes(),
            "pressure": self.level.name.lower(),
            "lean": self._holder.is_lean,
        }

    def look(self) -> None:
        """Look, unless somebody just has, and do what the level asks for."""
        if time.monotonic() - self._looked < _LOOK_S or not self._lock.acquire(blocking=False):
            return
        try:
            self._look()
        finally:
            self._looked = time.monotonic()
            self._lock.release()

    def _look(self) -> None:
        level = self._note()
        if level is Level.CALM:
            self._restore()
        elif self._holder.keeps_answers:
            self._holder.keep_answers(False)
            level = self._give_back("answers dropped")
        elif time.monotonic() - self._trimmed > _TRIM_S:
            level = self._give_back()
        if level < Level.CRITICAL:
            self._critical_since = None
        elif not self._holder.is_lean:
            before = private_bytes()
            self._holder.open_anew(lean=True)
            self._lean_since = time.monotonic()
            self._give_back("meaning dropped")
            self._saved = max(0, before - private_bytes())
        else:
            self._consider_leaving()

    def _note(self) -> Level:
        return self._pressure.note(private_bytes(), self._limit_bytes())

    def _give_back(self, what: str = "") -> Level:
        """Let the system have what the heap no longer needs, and look what that was worth."""
        self._trimmed = time.monotonic()
        trim()
        level = self._note()
        if what:
            used_mb, limit_mb = private_bytes() // 2**20, self._limit_bytes() // 2**20
            found = log.fields(why="short of memory", private_mb=used_mb, limit_mb=limit_mb, left=level.name)
            log.get().warning(what, extra=found)
        return level

    def _restore(self) -> None:
        """Have again what was given up, if it fits now."""
        if not self._holder.keeps_answers:
            self._holder.keep_answers(True)
        is_due = self._holder.is_lean and time.monotonic() - self._lean_since >= _LEAN_S
        if is_due and private_bytes() + self._saved < _HIGH * self._limit_bytes():
            self._holder.open_anew(lean=False)
            log.get().info("meaning is back", extra=log.fields(saved_mb=self._saved // 2**20))

    def _consider_leaving(self) -> None:
        now = time.monotonic()
        self._critical_since = self._critical_since or now
        if now - self._critical_since > _PATIENCE_S and now - self._began > _LEAST_LIFE_S:
            self._leave("short of memory")
