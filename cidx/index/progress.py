"""How far an index run is, and what it came to: values for whoever shows them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Progress:
    """Files looked at out of those that need it, and chunks found so far. None of them falls while a run goes on."""

    phase: str
    files_done: int = 0
    files_total: int = 0
    chunks: int = 0


Report = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """For runs that nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What one run of the index did; `looked_at` and `chunks_read` are what its progress ended with."""

    generation: int
    files: int
    chunks: int
    added: int
    changed: int
    removed: int
    embedded: int
    looked_at: int = 0
    chunks_read: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    rebuilt: bool = False
    why_rebuilt: str = ""
    took_s: float = 0.0
    publish_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return {
            "generation": self.generation,
            "files": self.files,
            "chunks": self.chunks,
            "added": self.added,
            "changed": self.changed,
            "removed": self.removed,
            "embedded": self.embedded,
            "skipped": self.skipped,
            "rebuilt": self.rebuilt,
            "why_rebuilt": self.why_rebuilt,
            "took_s": round(self.took_s, 3),
            "publish_s": round(self.publish_s, 4),
        }
