"""Where the time of one search goes: each lap is the time since the one before, by name."""

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Laps:
    """Begins when it is made. A name that comes again adds to itself."""

    times_ms: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.times_ms[name] = self.times_ms.get(name, 0.0) + (now - self._since) * 1000
        self._since = now
