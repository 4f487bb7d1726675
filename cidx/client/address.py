"""The only place that computes a repository's root, its id and its socket address.

Runs on every call, so it imports nothing heavy and asks no process: git's top level is
the nearest folder with a `.git`, as git itself finds it.
"""

import hashlib
import os
import sys
from collections.abc import Mapping

FOLDER = ".code-indexer"


def find_root(directory: str, *, home: str) -> str | None:
    """The root that a working directory belongs to, or None.

    Inside git: the nearest folder with `.code-indexer/` between the directory and git's top level,
    else that top level. Outside: the nearest `.code-indexer/` upward, but neither the home folder
    nor anything above it, so that a stray folder there can't swallow everything.
    """
    directory = os.path.realpath(directory)
    home = os.path.realpath(home)
    marked = None
    for folder in _upward(directory):
        if marked is None and _is_folder(os.path.join(folder, FOLDER)):
            marked = folder
        if os.path.lexists(os.path.join(folder, ".git")):
            return marked or folder
    if marked is None or _contains(marked, home):
        return None
    return marked


def in_git(root: str) -> bool:
    """Whether some folder from the root upward is a git top level."""
    return any(os.path.lexists(os.path.join(folder, ".git")) for folder in _upward(root))


def covers_home(folder: str, *, home: str) -> bool:
    """Whether a folder is the home folder or lies above it."""
    return _contains(os.path.realpath(folder), os.path.realpath(home))


def repository_id(root: str) -> str:
    return hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:16]


def socket_path(root: str, *, environment: Mapping[str, str], home: str) -> str:
    """Where the daemon of a root listens, whether or not it is there."""
    name = repository_id(root) + ".sock"
    if sys.platform != "darwin":
        for folder in (environment.get("XDG_RUNTIME_DIR", ""), f"/run/user/{os.geteuid()}"):
            if folder and _is_ours(folder):
                return os.path.join(folder, "cidx", name)
    # macOS has no runtime folder, and 104 bytes for the whole path.
    return os.path.join(home, ".cidx", "run", name)


def _upward(folder: str) -> list[str]:
    folders = [folder]
    while (parent := os.path.dirname(folders[-1])) != folders[-1]:
        folders.append(parent)
    return folders


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _is_ours(folder: str) -> bool:
    try:
        return os.stat(folder).st_uid == os.geteuid()
    except OSError:
        return False


def _contains(outer: str, inner: str) -> bool:
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")
