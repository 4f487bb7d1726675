"""Which files a repository has: git's list where there is a git, else a walk with nested ignore rules.

The files of submodules belong to it, as they lie in its tree; other repositories inside it are their own. On all
that lie `.cidxignore`, the `index.exclude` setting and the suspicion of secrets. Only names are looked at here, and
no link is followed: a path below a linked folder is outside.
"""

import os
import stat
import subprocess
from collections.abc import Container, Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from cidx.api.errors import CidxError, Code
from cidx.index import ignore
from cidx.repository.repository import FOLDER, GIT, Repository, git_environment
from cidx.store import source

_OURS = os.fsencode(FOLDER)
# Nobody writes a megabyte of ignore rules by hand.
_LONGEST_RULES = 1_048_576
_VERSION_CONTROL = (b".git", b".hg", b".svn", b".jj")
# Ours, and what git never lists by itself; an index that a stranger has packed may say anything.
_NEVER = frozenset((_OURS, b"..", b".git"))
# The stamp of what can't be looked at: it is tried again when it can.
_UNSEEN = b"unseen"
# The bits of a mode that say what kind of file it is.
_KIND = 0o170000
# Room for 20,000 paths, so that git need not wait for whoever imports meanwhile. More is not for everybody.
_PIPE_BYTES = 1_048_576
# Submodules that are listed at the same time.
_GITS = 8


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
        self.root = os.fsencode(repository.root)
        self._git = _start_git(self.root) if repository.in_git else None
        self._paths: list[bytes] | None = None

    def close(self) -> None:
        """Stop git where nobody waited for it."""
        if self._git is not None and self._git.returncode is None:
            self._git.kill()
            self._git.communicate()

    def __enter__(self) -> "Listing":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait(self) -> None:
        """Until git has said what there is; what happens to names later is not seen."""
        if self._git is not None and self._paths is None:
            self._paths = _git_paths(self._git, self.root)

    def entries(self, *, exclude: Sequence[str] = ()) -> list[Entry]:
        """Every file that may be indexed, by path."""
        root = self.root
        self.wait()
        entries = _walk(root) if self._paths is None else _listed(root, self._paths)
        entries.sort(key=itemgetter(0))
        rules = _cidxignores(root, entries)
        kept = ignore.keep([entry.path for entry in entries], rules=rules, exclude=exclude)
        if len(kept) == len(entries):
            return entries
        wanted = set(kept)
        return [entry for entry in entries if entry.path in wanted]


class Among(NamedTuple):
    """What a listing has of some paths, and which of them are there but never listed."""

    entries: list[Entry]
    unlisted: frozenset[bytes] = frozenset()


def among(
    repository: Repository, paths: Iterable[bytes], *, known: Container[bytes], exclude: Sequence[str] = ()
) -> Among | None:
    """A listing of these paths alone, which are not too many for a command line; None where only a whole one tells.

    Those that are `known` have been listed before under the same rules.
    """
    root = os.fsencode(repository.root)
    wanted = list(paths)
    new = [path for path in wanted if path not in known and os.path.lexists(below(root, path))]
    listed: list[bytes] = []
    if new:
        git = _start_git(root, new) if repository.in_git else None
        try:
            listed = _not_ignored(root, new) if git is None else _git_paths(git, root)
        except CidxError:
            return None
    entries, folders = _stat_all(root, [*(path for path in wanted if path in known), *listed])
    if folders:
        return None
    entries.sort(key=itemgetter(0))
    kept = set(
        ignore.keep(
            [entry.path for entry in entries], rules=_cidxignores_above(root, entries), exclude=exclude
        )
    )
    return Among([entry for entry in entries if entry.path in kept], frozenset(new).difference(listed))


def folders(
    root: bytes, *, in_git: bool, ignored: Container[bytes] = (), top: bytes = b""
) -> Iterator[bytes]:
    """The folders whose files may be listed, `top` first, each before it is looked into; b"" is the root.

    In git, `ignored` are those that git does not look into; elsewhere the ignore files tell.
    """
    rules = ignore.Rules()
    if not in_git:
        _add_rules(rules, root, [*ignore.enclosing(top)])
    pending = [top]
    while pending:
        folder = pending.pop()
        yield folder
        if not in_git:
            _add_rules(rules, root, [folder])
        try:
            found = [_join(folder, entry.name) for entry in _scan(root, folder) if _is_folder_to_list(entry)]
        except OSError:
            continue
        pending += [
            path
            for path in found
            if path not in ignored and (in_git or rules.verdict(path, is_folder=True) is not True)
        ]


def is_never_listed(path: bytes) -> bool:
    """Whether a path is in a folder of ours or of a version control."""
    return not _NEVER.isdisjoint(path.split(b"/")) or path.split(b"/", 1)[0] in _VERSION_CONTROL


def below(root: bytes, path: bytes) -> bytes:
    return root + b"/" + path if path else root


def _is_folder_to_list(entry: "os.DirEntry[bytes]") -> bool:
    return (
        entry.name not in _NEVER
        and entry.name not in _VERSION_CONTROL
        and entry.is_dir(follow_symlinks=False)
    )


def _not_ignored(root: bytes, paths: Iterable[bytes]) -> list[bytes]:
    """As a walk would decide, without a walk."""
    wanted = list(paths)
    rules = ignore.Rules()
    _add_rules(rules, root, {folder for path in wanted for folder in ignore.enclosing(path)})
    memo: dict[bytes, bool] = {}
    return [path for path in wanted if not rules.ignores(path, memo)]


def _add_rules(
    rules: ignore.Rules, root: bytes, folders: Iterable[bytes], *, name: bytes = b".gitignore"
) -> None:
    for folder in folders:
        if content := _read(below(root, _join(folder, name))):
            rules.add(folder, content)


def _cidxignores_above(root: bytes, entries: Sequence[Entry]) -> ignore.Rules:
    """The rules of every `.cidxignore` that speaks of an entry."""
    rules = ignore.Rules()
    above = {folder for entry in entries for folder in ignore.enclosing(entry.path)}
    _add_rules(rules, root, above, name=ignore.CIDXIGNORE)
    return rules


def _start_git(root: bytes, paths: Sequence[bytes] = ()) -> "subprocess.Popen[bytes] | None":
    command = [*GIT, "--literal-pathspecs", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    command += ["--", *map(os.fsdecode, paths)] if paths else []
    try:
        return subprocess.Popen(
            command, cwd=root, env=git_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL, pipesize=_PIPE_BYTES,
        )  # fmt: skip
    except FileNotFoundError:
        return None


def _git_paths(git: "subprocess.Popen[bytes]", root: bytes) -> list[bytes]:
    output, complaint = git.communicate()
    if git.returncode != 0:
        raise _git_error(Path(os.fsdecode(root)), complaint.decode("utf-8", "replace").strip())
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


def _listed(root: bytes, paths: Sequence[bytes]) -> list[Entry]:
    """The files that git has listed, and those of submodules."""
    entries, folders = _stat_all(root, paths)
    modules = [folder for folder in folders if _is_module(root + b"/" + folder)]
    for start in range(0, len(modules), _GITS):
        some = modules[start : start + _GITS]
        gits = [_start_git(root + b"/" + module) for module in some]
        for module, git in zip(some, gits, strict=True):
            below = root + b"/" + module
            entries += [entry._replace(path=module + b"/" + entry.path) for entry in _module(below, git)]
    return entries


def _is_module(folder: bytes) -> bool:
    """Whether a folder that git lists as one entry is a submodule whose files are here."""
    return os.path.basename(folder) not in _NEVER and os.path.lexists(folder + b"/.git")


def _module(root: bytes, git: "subprocess.Popen[bytes] | None") -> list[Entry]:
    """The files of a submodule; where git does not list them, those that lie there."""
    try:
        return _listed(root, _git_paths(git, root)) if git is not None else _walk(root)
    except CidxError:
        return _walk(root)


def _stat_all(root: bytes, paths: Sequence[bytes]) -> tuple[list[Entry], list[bytes]]:
    """The regular files among paths, and the folders."""
    inside: dict[bytes, bool] = {b"": True}
    entries, folders = [], []
    # A whole tree goes through here before every answer.
    prefix, lstat, stamp, new = root + b"/", os.lstat, source.stamp, tuple.__new__
    for path in paths:
        folder = path.rpartition(b"/")[0]
        if not (inside.get(folder) or _is_inside(root, folder, inside)):
            continue
        try:
            found = lstat(prefix + path)
        except PermissionError:
            entries.append(Entry(path, 0, _UNSEEN))
            continue
        except OSError:
            continue
        if found.st_mode & _KIND == stat.S_IFREG:
            entries.append(new(Entry, (path, found.st_size, stamp(found))))
        elif found.st_mode & _KIND == stat.S_IFDIR and path[-1:] != b"/":
            folders.append(path)
    return entries, folders


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
        name = part[part.rfind(b"/") + 1 :]
        answer = memo[part] = answer and name not in _NEVER and _is_folder(root + b"/" + part)
    return answer


def _is_folder(path: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except PermissionError:
        return True  # nothing is read there; the files say that they can't be
    except OSError:
        return False


def _walk(root: bytes) -> list[Entry]:
    rules = ignore.Rules()
    entries = []
    folders = [b""]
    while folders:
        folder = folders.pop()
        try:
            found = _scan(root, folder)
        except PermissionError:
            entries.append(Entry(folder, 0, _UNSEEN))
            continue
        except OSError:
            continue
        if any(entry.name == b".gitignore" and _is_plain(entry) for entry in found):
            rules.add(folder, _read(root + b"/" + _join(folder, b".gitignore")))
        for entry in found:
            path = _join(folder, entry.name)
            if entry.name in _VERSION_CONTROL or entry.name == _OURS:
                continue
            if entry.is_dir(follow_symlinks=False):
                if rules.verdict(path, is_folder=True) is not True:
                    folders.append(path)
            elif _is_plain(entry) and rules.verdict(path) is not True:
                try:
                    entries.append(_entry(path, entry.stat(follow_symlinks=False)))
                except OSError:
                    continue
    return entries


def _scan(root: bytes, folder: bytes) -> "list[os.DirEntry[bytes]]":
    with os.scandir(_join(root, folder) if folder else root) as found:
        return list(found)


def _is_plain(entry: "os.DirEntry[bytes]") -> bool:
    return entry.is_file(follow_symlinks=False)


def _join(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


def ending_with(name: bytes, entries: Sequence[Entry]) -> list[bytes]:
    """The paths that end so. All are asked at once: hardly any does."""
    paths = [entry[0] for entry in entries]
    return [path for path in paths if path.endswith(name)] if name in b"\0".join(paths) else []


def _cidxignores(root: bytes, entries: Sequence[Entry]) -> ignore.Rules:
    """The rules of every `.cidxignore` in the list, and of the root's own, which git may ignore."""
    rules = ignore.Rules()
    places = {*ending_with(ignore.CIDXIGNORE, entries), ignore.CIDXIGNORE}
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
