"""The only place that computes a repository's root, its id and its socket address.

Runs on every call, so it asks no process (git's top level is the nearest folder with a `.git`, as git
itself finds it) and imports nothing that has to be read from disk but the digest: `os` alone would cost
every query 0.13 of a bare interpreter's start, `hashlib` 0.3 (`tests/bench/client.py --imports`).
"""

import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = ".code-indexer"

# As many links as Linux follows in one path.
MAX_LINKS = 40


def find_root(directory: str, *, home: str) -> str | None:
    """The root that a working directory belongs to, or None.

    Inside git: the nearest folder with `.code-indexer/` between the directory and git's top level,
    else that top level. Outside: the nearest `.code-indexer/` upward, but neither the home folder
    nor anything above it, so that a stray folder there can't swallow everything.
    """
    marked = None
    for folder in _upward(_real(directory)):
        if marked is None and _is_folder(_join(folder, FOLDER)):
            marked = folder
        if _exists(_join(folder, ".git")):
            return marked or folder
    if marked is None or _contains(marked, _real(home)):
        return None
    return marked


def in_git(root: str) -> bool:
    """Whether some folder from the root upward is a git top level."""
    return any(_exists(_join(folder, ".git")) for folder in _upward(root))


def covers_home(folder: str, *, home: str) -> bool:
    """Whether a folder is the home folder or lies above it."""
    return _contains(_real(folder), _real(home))


def repository_id(root: str) -> str:
    return _sha256(encode(_real(root)))[:16]


def socket_path(root: str, *, environment: "Mapping[str, str]", home: str) -> str:
    """Where the daemon of a root listens, whether or not it is there."""
    name = repository_id(root) + ".sock"
    if sys.platform != "darwin":
        for folder in (environment.get("XDG_RUNTIME_DIR", ""), f"/run/user/{posix.geteuid()}"):
            if folder and _is_ours(folder):
                return _join(_join(folder, "cidx"), name)
    # macOS has no runtime folder, and 104 bytes for the whole path.
    return _join(home, ".cidx/run/" + name)


def encode(text: str) -> bytes:
    """A path or an argument as the system has it."""
    return text.encode(sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())


def decode(raw: bytes) -> str:
    return raw.decode(sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())


def _sha256(data: bytes) -> str:
    # The digest alone; hashlib would load OpenSSL. A Python may be built without it.
    try:
        if sys.version_info >= (3, 12):
            from _sha2 import sha256
        else:
            from _sha256 import sha256  # type: ignore[import-not-found]
    except ImportError:
        from hashlib import sha256
    digest: str = sha256(data).hexdigest()
    return digest


def _real(path: str) -> str:
    """An absolute path without links, as `os.path.realpath` has it; what does not exist stays as it is."""
    if not path.startswith("/"):
        path = _join(posix.getcwd(), path)
    real, rest, links = "", path.split("/")[::-1], 0
    while rest:
        name = rest.pop()
        if name == "..":
            real = real.rpartition("/")[0]
        elif name not in ("", "."):
            real += "/" + name
            target = _link(real)
            if target is not None and (links := links + 1) <= MAX_LINKS:
                real = "" if target.startswith("/") else real.rpartition("/")[0]
                rest += target.split("/")[::-1]
    return real or "/"


def _link(path: str) -> str | None:
    """What a link says, or None where there is no link."""
    try:
        return posix.readlink(path)
    except OSError:
        return None


def _upward(folder: str) -> list[str]:
    folders = [folder]
    while folders[-1] != "/":
        folders.append(folders[-1].rpartition("/")[0] or "/")
    return folders


def _join(folder: str, name: str) -> str:
    return folder + name if folder.endswith("/") else f"{folder}/{name}"


def _exists(path: str) -> bool:
    try:
        posix.lstat(path)
    except OSError:
        return False
    return True


def _is_folder(path: str) -> bool:
    """Whether it is a folder itself, and no link to one."""
    try:
        return posix.lstat(path).st_mode & 0o170000 == 0o040000
    except OSError:
        return False


def _is_ours(folder: str) -> bool:
    try:
        return posix.stat(folder).st_uid == posix.geteuid()
    except OSError:
        return False


def _contains(outer: str, inner: str) -> bool:
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")
