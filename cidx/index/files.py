"""Which files a repository has: git's list where there is a git, else a walk with nested ignore rules.

On both lie `.cidxignore`, the `index.exclude` setting and the suspicion of secrets. Only
names are looked at here, and no link is followed: a path below a linked folder is outside.
"""

import os
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cidx.api.errors import CidxError, Code
from cidx.index import ignore
from cidx.repository.repository import FOLDER, GIT, Repository, git_environment
from cidx.store import source

_OURS = os.fsencode(FOLDER) + b"/"
# Nobody writes a megabyte of ignore rules by hand.
_LONGEST_RULES = 1_048_576
_VERSION_CONTROL = (b".git", b".hg", b".svn", b".jj")


class Entry(NamedTuple):
    """A regular file of the tree."""

    path: bytes
    size_bytes: int
    stamp: bytes


class Listing:
    """The list of files in the making: git starts working at once, `entries` waits for it.

    Whoever has other work (imports, opening an index) does it in between.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._git = _start_git(repository.root) if repository.in_git else None

    def close(self) -> None:
        """Stop git where nobody waited for it."""
        if self._git is not None and self._git.returncode is None:
            self._git.kill()
            self._git.communicate()

    def __enter__(self) -> "Listing":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def entries(self, *, exclude: Sequence[str] = ()) -> list[Entry]:
        """Every file that may be indexed, by path."""
        root = os.fsencode(self._repository.root)
        if self._git is not None:
            entries = _stat_all(root, _git_paths(self._git, self._repository.root))
        else:
            entries = _walk(root)
        rules = _cidxignores(root, entries)
        kept = set(ignore.keep((entry.path for entry in entries), rules=rules, exclude=exclude))
        return sorted((entry for entry in entries if entry.path in kept), key=lambda entry: entry.path)


def _start_git(root: Path) -> "subprocess.Popen[bytes] | None":
    command = [*GIT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        return subprocess.Popen(
            command, cwd=root, env=git_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        return None


def _git_paths(git: "subprocess.Popen[bytes]", root: Path) -> list[bytes]:
    output, complaint = git.communicate()
    if git.returncode != 0:
        raise _git_error(root, complaint.decode("utf-8", "replace").strip())
    return [path for path in dict.fromkeys(output.split(b"\0")) if path]


def _git_error(root: Path, complaint: str) -> CidxError:
    if "dubious ownership" in complaint:
        return CidxError(
            Code.GIT_REFUSED,
            what=f"git does not trust {root}",
            why="the repository belongs to another user",
            next_step=f"if you trust it: git config --global --add safe.directory {root}",
        )
    return CidxError(
        Code.GIT_REFUSED,
        what=f"git can't list the files of {root}",
        why=complaint.splitlines()[0] if complaint else "it ended without saying why",
        next_step=f"see what git says: git -C {root} status",
    )


def _stat_all(root: bytes, paths: Sequence[bytes]) -> list[Entry]:
    inside: dict[bytes, bool] = {b"": True}
    entries = []
    for path in paths:
        folder = path.rpartition(b"/")[0]
        if _OURS in path or not (inside.get(folder) or _is_inside(root, folder, inside)):
            continue
        try:
            found = os.lstat(root + b"/" + path)
        except OSError:
            continue
        if stat.S_ISREG(found.st_mode):
            entries.append(_entry(path, found))
    return entries


def _entry(path: bytes, found: os.stat_result) -> Entry:
    return Entry(path, found.st_size, source.stamp(found))


def _is_inside(root: bytes, folder: bytes, memo: dict[bytes, bool]) -> bool:
    """Whether a folder is reached without following a link."""
    missing = []
    while folder not in memo:
        missing.append(folder)
        folder = folder.rpartition(b"/")[0]
    answer = memo[folder]
    for part in reversed(missing):
        answer = memo[part] = answer and _is_folder(root + b"/" + part)
    return answer


def _is_folder(path: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _walk(root: bytes) -> list[Entry]:
    rules = ignore.Rules()
    entries = []
    folders = [b""]
    while folders:
        folder = folders.pop()
        found = _scan(root, folder)
        if any(entry.name == b".gitignore" and _is_plain(entry) for entry in found):
            rules.add(folder, _read(root + b"/" + _join(folder, b".gitignore")))
        for entry in found:
            path = _join(folder, entry.name)
            if entry.is_dir(follow_symlinks=False):
                skip = entry.name in _VERSION_CONTROL or entry.name == _OURS[:-1]
                if not skip and rules.verdict(path, is_folder=True) is not True:
                    folders.append(path)
            elif _is_plain(entry) and rules.verdict(path) is not True:
                try:
                    entries.append(_entry(path, entry.stat(follow_symlinks=False)))
                except OSError:
                    continue
    return entries


def _scan(root: bytes, folder: bytes) -> "list[os.DirEntry[bytes]]":
    try:
        with os.scandir(_join(root, folder) if folder else root) as found:
            return list(found)
    except OSError:
        return []


def _is_plain(entry: "os.DirEntry[bytes]") -> bool:
    return entry.is_file(follow_symlinks=False)


def _join(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


def _cidxignores(root: bytes, entries: Sequence[Entry]) -> ignore.Rules:
    """The rules of every `.cidxignore` in the list, and of the root's own, which git may ignore."""
    rules = ignore.Rules()
    places = {entry.path for entry in entries if entry.path.endswith(ignore.CIDXIGNORE)}
    places.add(ignore.CIDXIGNORE)
    for place in places:
        folder, _, name = place.rpartition(b"/")
        content = _read(root + b"/" + place) if name == ignore.CIDXIGNORE else b""
        if content:
            rules.add(folder, content)
    return rules


def _read(path: bytes) -> bytes:
    try:
        return source.read(path, limit=_LONGEST_RULES).data
    except OSError:
        return b""
