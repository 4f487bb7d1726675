"""What can go wrong, as a value: a code, what happened, why, and the next step.

    CidxError
    ├── NotIndexed     caught where an index may be built on the way
    ├── Locked         caught where waiting for the other writer is no use
    └── Damaged        caught where the index is opened again or rebuilt

Every code is a heading of docs/troubleshooting.md, and carries its exit code.
"""

import enum
from collections.abc import Mapping


class Code(enum.Enum):
    """The name of an error, for people to look up and for programs to compare, and its exit code."""

    USAGE = ("usage", 2)
    BAD_QUERY = ("bad-query", 2)
    UNSUPPORTED_PATH = ("unsupported-path", 2)
    BAD_CONFIG = ("bad-config", 2)
    NEWER_CONFIG = ("newer-config", 2)
    NOT_A_REPOSITORY = ("not-a-repository", 3)
    GIT_REFUSED = ("git-refused", 3)
    NOT_INDEXED = ("not-indexed", 3)
    UNREACHABLE = ("unreachable", 4)
    NO_SUPERVISOR = ("no-supervisor", 4)
    NOT_INSTALLED = ("not-installed", 4)
    SUPERVISOR_FAILED = ("supervisor-failed", 4)
    NEWER_INDEX = ("newer-index", 5)
    DAMAGED = ("damaged-index", 5)
    LOCKED = ("locked", 5)
    DISK_FULL = ("disk-full", 5)
    IO = ("io-error", 5)
    NO_RESOURCES = ("no-resources", 5)
    BUG = ("bug", 70)
    INTERRUPTED = ("interrupted", 130)

    def __init__(self, slug: str, exit_code: int) -> None:
        self.slug = slug
        self.exit_code = exit_code


class CidxError(Exception):
    """An error that its reader can act on."""

    def __init__(self, code: Code, *, what: str, why: str, next_step: str) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.why = why
        self.next_step = next_step

    def to_json(self) -> dict[str, str]:
        return {"code": self.code.slug, "what": self.what, "why": self.why, "next_step": self.next_step}

    @staticmethod
    def from_json(fields: Mapping[str, str]) -> "CidxError":
        """The same error again, on the other side; a code of a newer cidx counts as a bug."""
        code = next((code for code in Code if code.slug == fields["code"]), Code.BUG)
        return CidxError(code, what=fields["what"], why=fields["why"], next_step=fields["next_step"])


class NotIndexed(CidxError):
    """There is no index yet."""

    def __init__(self, *, what: str, why: str, next_step: str) -> None:
        super().__init__(Code.NOT_INDEXED, what=what, why=why, next_step=next_step)


class Locked(CidxError):
    """Another process is writing this repository's index."""

    def __init__(self, *, what: str, why: str, next_step: str) -> None:
        super().__init__(Code.LOCKED, what=what, why=why, next_step=next_step)


class Damaged(CidxError):
    """The index on disk is not what was published."""

    def __init__(self, *, what: str, why: str, next_step: str = "cidx index") -> None:
        super().__init__(Code.DAMAGED, what=what, why=why, next_step=next_step)
