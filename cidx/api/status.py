"""The picture of a repository that `cidx status` gives: index, service and daemon as one value."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStatus:
    """`changed_files` counts what differs from the generation."""

    generation: int
    files: int
    chunks: int
    bytes: int
    fresh: bool
    changed_files: int
    model: str
    skipped: dict[str, int] = field(default_factory=dict)
    writer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """What the supervisor holds. `socket` is the address, whether or not somebody listens; `wrong` asks for mending."""

    supervisor: str
    installed: bool
    socket: str
    state: str
    detail: str
    wrong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`index` is None before the first one."""

    repository: str
    folder: str
    index: IndexStatus | None
    service: ServiceStatus
    daemon: dict[str, Any] | None = None
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "repository": self.repository,
            "folder": self.folder,
            "index": asdict(self.index) if self.index else None,
            "problem": self.problem,
            "service": asdict(self.service),
            "daemon": self.daemon,
        }
