"""Which files of a tree may have changed since they were last asked about, as the operating system saw it.

Exact where it can be: `touched` reads all that the system has noted by then, so whatever was written before the call is
in its answer. Where single paths would not do (a folder came or went, ignore rules or git's index changed, events were
lost) the answer is that the whole tree has to be looked at. Decides nothing else: content does, later.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cidx.index import attributes, files, ignore
from cidx.repository.repository import GIT, Repository, git_environment

# Files that decide about others.
_RULES = frozenset((b".gitignore", ignore.CIDXIGNORE, attributes.FILE, b".gitmodules"))
# Of git's own folders: what is tracked, and one more file of ignore rules.
_GIT_FILES = frozenset((b"index", b"exclude", b"attributes"))
# Beyond so many it is as quick to look at the whole tree.
_MOST_PATHS = 500
# A burst of changes is over when nothing happened for so long; and counts as over in any case after the longer time.
_CALM_S = 0.05
BURST_S = 1.0
# How long git may be in the middle of something.
_GIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Touched:
    """`paths` are relative to the root; with `everything` there may be others."""

    paths: frozenset[bytes] = frozenset()
    everything: bool = False

    def __bool__(self) -> bool:
        return self.everything or bool(self.paths)

    def __or__(self, other: "Touched") -> "Touched":
        paths = self.paths | other.paths
        if self.everything or other.everything or len(paths) > _MOST_PATHS:
            return EVERYTHING
        return Touched(paths)


EVERYTHING = Touched(everything=True)


class Event(NamedTuple):
    """Something happened to `path`, which is absolute; an empty one says that events were lost.

    Of folders only those that were watched are told to be gone.
    """

    path: bytes
    is_folder: bool = False
    appeared: bool = False
    gone: bool = False


class Recorder(Protocol):
    """What a system's way of watching has to offer; see `inotify`."""

    def __len__(self) -> int: ...

    def add(self, folder: bytes) -> None: ...

    def read(self) -> Iterable[Event]: ...

    def wait(self, timeout_s: float | None = None) -> bool: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


class Watch:
    """Watches one repository. Safe to share between threads; `close` ends every `wait`.

    Raises `OSError` where the system can't watch so much.
    """

    def __init__(self, repository: Repository, recorder: "Callable[[], Recorder] | None" = None) -> None:
        self._root = os.fsencode(repository.root)
        self._in_git = repository.in_git
        self._lock = threading.Lock()
        self._recorder = (recorder or _recorder)()
        self._git_folders: frozenset[bytes] = frozenset()
        self._unlisted: set[bytes] = set()
        self._appeared: list[bytes] = []
        self._found = EVERYTHING
        try:
            self._watch_all()
        except BaseException:
            self._recorder.close()
            raise

    def __len__(self) -> int:
        """How many folders are watched."""
        return len(self._recorder)

    def touched(self) -> Touched:
        """What may have changed since the last call; at the first one, everything."""
        with self._lock:
            self._drain()
            appeared, self._appeared = self._appeared, []
            if appeared and self._watch_new(appeared):
                self._found = EVERYTHING
            found, self._found = self._found, Touched()
            return found

    def pass_over(self, paths: Iterable[bytes]) -> None:
        """These belong to no list of files, whatever happens to them, until rules change."""
        with self._lock:
            self._unlisted.update(paths)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Until something happens; False when the time is over or the watch was stopped."""
        return self._recorder.wait(timeout_s)

    def settle(self, longest_s: float = BURST_S) -> None:
        """Wait until a burst of changes is over, and git has finished what it is in the middle of, as a checkout."""
        until = time.monotonic() + longest_s
        while self._is_touched() and self.wait(_CALM_S) and time.monotonic() < until:
            pass
        until = time.monotonic() + _GIT_S
        while self.is_git_busy and time.monotonic() < until:
            time.sleep(_CALM_S)

    @property
    def is_git_busy(self) -> bool:
        return any(os.path.lexists(folder + b"/index.lock") for folder in self._git_folders)

    def stop(self) -> None:
        """End every `wait`."""
        self._recorder.stop()

    def close(self) -> None:
        with self._lock:
            self._recorder.close()

    def _is_touched(self) -> bool:
        with self._lock:
            self._drain()
            return bool(self._found or self._appeared)

    def _drain(self) -> None:
        """Folders that came are looked into when somebody asks: git tells of all at once whether they are ignored."""
        paths: set[bytes] = set()
        everything = rules = False
        for event in self._recorder.read():
            folder, _, name = event.path.rpartition(b"/")
            path = event.path[len(self._root) + 1 :]
            if not event.path:
                everything = rules = True
            elif folder in self._git_folders:
                everything = everything or name in _GIT_FILES
            elif files.is_never_listed(path):
                continue
            elif event.is_folder:
                everything = everything or event.gone
                if event.appeared:
                    self._appeared.append(path)
            elif name in _RULES:
                everything = rules = True
            elif path not in self._unlisted:
                paths.add(path)
        if everything:
            self._unlisted.clear()
        if rules:
            # Folders may be ignored no more.
            self._watch_all()
        if everything or paths:
            self._found |= Touched(frozenset(paths), everything)

    def _watch_all(self) -> None:
        ignored = _ignored_folders(self._root) if self._in_git else frozenset()
        for folder in files.folders(self._root, in_git=self._in_git, ignored=ignored):
            self._recorder.add(files.below(self._root, folder))
        if self._in_git:
            self._git_folders = _git_folders(self._root)
            for folder in self._git_folders:
                self._recorder.add(folder)

    def _watch_new(self, folders: Iterable[bytes]) -> bool:
        """Watch folders that came, with all below them, if files in them would be listed; whether any would."""
        wanted = list(folders)
        if self._in_git:
            ignored = _ignored_among(self._root, wanted)
            wanted = [folder for folder in wanted if folder not in ignored]
        for top in wanted:
            for folder in files.folders(self._root, in_git=self._in_git, top=top):
                self._recorder.add(files.below(self._root, folder))
        return bool(wanted)


def _recorder() -> Recorder:
    if sys.platform == "darwin":
        from cidx.index.fsevents import FSEvents

        return FSEvents()
    from cidx.index.inotify import Inotify

    return Inotify()


def _git_folders(root: bytes) -> frozenset[bytes]:
    """Where git keeps what decides on its list: the index of this worktree, and rules common to all."""
    said = _ask_git(root, "rev-parse", "--git-dir", "--git-common-dir").split(b"\n")
    if len(said) < 2:
        return frozenset()
    own, common = (os.path.realpath(os.path.join(root, place)) for place in said[:2])
    return frozenset((own, common + b"/info"))


def _ignored_folders(root: bytes) -> frozenset[bytes]:
    said = _ask_git(root, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
    return frozenset(path[:-1] for path in said.split(b"\0") if path.endswith(b"/"))


def _ignored_among(root: bytes, folders: Iterable[bytes]) -> frozenset[bytes]:
    asked = b"".join(folder + b"/\0" for folder in folders)
    said = _ask_git(root, "check-ignore", "-z", "--stdin", sent=asked)
    return frozenset(path.rstrip(b"/") for path in said.split(b"\0"))


def _ask_git(root: bytes, *arguments: str, sent: bytes = b"") -> bytes:
    """What git says; nothing where it refuses, which is found out when the tree is listed."""
    command = [*GIT, *arguments]
    done = subprocess.run(
        command, cwd=root, env=git_environment(), input=sent, capture_output=True, check=False
    )
    return done.stdout
