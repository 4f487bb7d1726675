"""What a file is there for, as its path tells: source, test, something aside, or prose; and the words that name it.

Pure. The conventions are those of many languages at once. A path that follows none is a source.
"""

import enum
import re
from dataclasses import dataclass

from cidx.text.stems import stem
from cidx.text.tokenizer import terms, words


class Role(enum.Enum):
    """SOURCE is what a search for code is after; the others come behind it unless they are asked for.

    FOREIGN is for Windows, on which cidx does not run: its users look for the other variant. SUPERSEDED lies in
    the folder of a version beside which there is a later one.
    """

    SOURCE = "source"
    FOREIGN = "foreign"
    SUPERSEDED = "superseded"
    TEST = "test"
    ASIDE = "aside"
    PROSE = "prose"


# Whatever a language calls them: folders of tests, and `test_x.py`, `x_test.go`, `x.spec.ts`, `XTest.java`.
_TEST = re.compile(
    r"(?:^|/)(?:tests?|specs?|__tests__|testing|testdata|test_data|fixtures?|mocks?|__mocks__|e2e)/"
    r"|(?:^|/)(?:test_[^/]*|[^/]*_(?:tests?|spec)|[^/]*[.-](?:test|spec)|conftest|[^/]*[a-z0-9](?:Tests?|Spec))\.[^./]+$"
)
# Samples, measurements, what came from elsewhere, what is kept for old users; and files that only pass on what
# others define: declarations and the index of a folder.
_ASIDE = re.compile(
    r"(?:^|/)(?:examples?|samples?|demos?|tutorials?|benchmarks?|bench|docs?|vendor|third_party|external|compat|_compat"
    r"|legacy|deprecated)/"
    r"|\.d\.[cm]?ts$|(?:^|/)(?:__init__\.pyi?|index\.[cm]?[jt]sx?)$"
)
_ENTRANCE = re.compile(
    rb"(?:^|/)(?:__init__\.pyi?|index\.[cm]?[jt]sx?|mod\.(?:rs|ts)|lib\.rs|exports?\.\w+|main\.d\.ts)$"
)
_FOREIGN = re.compile(r"(?:^|[/_.-])(?:win|windows|win32|win64|msvc|uwp)[/_.-]", re.IGNORECASE)
_VERSION = re.compile(r"(?:^|/)v(\d{1,3})/")
# Languages that talk about code, and those of its data.
_PROSE = frozenset(("markdown", "rst", "asciidoc", "org", "tex", "text", "po", "log", "diff"))
_DATA = frozenset(("json", "yaml", "toml", "xml", "ini", "csv"))


@dataclass(frozen=True, slots=True)
class Bearing:
    """What ranking knows of a file: its path for the order, its role, and the stems of its name and of its folders'."""

    path: bytes
    role: Role
    name: frozenset[str]
    folders: frozenset[str]


def bearing(path: bytes, language: str, *, superseded: bool = False) -> Bearing:
    text = path.decode("utf-8", "replace")
    folder, _, name = text.rpartition("/")
    role = _role(text, language)
    return Bearing(
        path,
        Role.SUPERSEDED if superseded and role is Role.SOURCE else role,
        _stems(name.partition(".")[0]),
        _stems("/".join(folder.split("/")[-2:])),
    )


def next_version(path: bytes) -> bytes | None:
    """The folder that would hold the next version of what lies in a folder like `v3`; None outside of any."""
    text = path.decode("utf-8", "surrogateescape")
    found = list(_VERSION.finditer(text))
    if not found:
        return None
    version = found[-1]
    return f"{text[: version.start(1)]}{int(version[1]) + 1}/".encode("utf-8", "surrogateescape")


def is_entrance(path: bytes) -> bool:
    """Whether what this file imports is what others import from it: the face of a folder or a package."""
    return _ENTRANCE.search(path) is not None


def _role(path: str, language: str) -> Role:
    if _TEST.search(path):
        return Role.TEST
    if language in _PROSE:
        return Role.PROSE
    if language in _DATA or _ASIDE.search(path):
        return Role.ASIDE
    return Role.FOREIGN if _FOREIGN.search(path) else Role.SOURCE


def _stems(text: str) -> frozenset[str]:
    """Stems of the parts of names: of `RotatingFileHandler` its three, and not the whole as well."""
    found = [terms(word) for word in words(text)]
    return frozenset(stem(part) for one in found for part in (one[1:] or one))
