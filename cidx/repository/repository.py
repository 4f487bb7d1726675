"""A repository: its root, and the folder where cidx keeps what belongs to it.

The folder is `.code-indexer/` in the root when it is safe to use and can be written, else one of
the user's own cache. A repository from a stranger gets nothing: a `.code-indexer` that is a link,
somebody else's, writable by others or tracked by git is left alone.
"""

import contextlib
import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cidx.api.errors import CidxError, Code
from cidx.client import address

FOLDER = address.FOLDER
INDEX = "index"
# Leads people to the socket of an installed service.
LINK = "daemon.sock"


@dataclass(frozen=True, slots=True)
class UserFolders:
    """Where this user's files live, decided once by whoever starts."""

    home: Path
    config: Path
    cache: Path


def user_folders() -> UserFolders:
    """As this process's environment says."""
    import platformdirs

    return UserFolders(
        home=Path(os.path.expanduser("~")),
        config=platformdirs.user_config_path("cidx", appauthor=False),
        cache=platformdirs.user_cache_path("cidx", appauthor=False),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """`why_elsewhere` says why the folder is not in the root; empty when it is."""

    root: Path
    id: str
    folder: Path
    in_git: bool
    why_elsewhere: str = ""

    @property
    def index_folder(self) -> Path:
        return self.folder / INDEX


def find(directory: Path, users: UserFolders) -> Repository:
    """The repository that a working directory belongs to."""
    root = address.find_root(str(directory), home=str(users.home))
    if root is None:
        raise CidxError(
            Code.NOT_A_REPOSITORY,
            what=f"{directory} is not in a repository",
            why="there is no .git and no .code-indexer folder here or above",
            next_step="run cidx inside a git repository, or make this folder one with: cidx init",
        )
    return at(Path(root), users)


def at(root: Path, users: UserFolders) -> Repository:
    """The repository with this root."""
    own = root / FOLDER
    in_git = address.in_git(str(root))
    why = why_not(own, in_git=in_git)
    name = address.repository_id(str(root))
    folder = users.cache / name if why else own
    return Repository(root=root, id=name, folder=folder, in_git=in_git, why_elsewhere=why)


def prepare(repository: Repository) -> None:
    """Make the folder, so that settings and an index can be written to it."""
    try:
        repository.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = repository.folder / ".gitignore"
        # A full disk leaves it empty.
        if not ignore.exists() or not ignore.stat().st_size:
            ignore.write_text("*\n", encoding="utf-8")
        repository.index_folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise write_failure(error, repository.folder) from error


def index_bytes(folder: Path) -> int:
    """What an index, or a part of it, takes on disk; what goes while it is looked at takes nothing."""
    total = 0
    for inside, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(os.path.join(inside, name)).st_size
    return total


def write_failure(error: OSError, place: Path) -> CidxError:
    """The error of a write that the system refused."""
    import errno

    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return CidxError(
        Code.DISK_FULL if full else Code.IO,
        what=f"{place} can't be written",
        why="the disk is full" if full else f"{error.strerror or error}",
        next_step=(
            "free some space and run the command again; the published index is intact"
            if full
            else f"check the permissions and the disk of {place}"
        ),
    )


# SQLite takes paths of 512 bytes, and ours add some sixty to that of the folder.
_LONGEST_PATH = 440


def why_not(own: Path, *, in_git: bool) -> str:
    """Why the folder in the root can't be used; empty when it can."""
    path = os.fsencode(own)
    if len(path) > _LONGEST_PATH:
        return f"the path of its root has more than {_LONGEST_PATH} bytes"
    if path.decode("utf-8", "ignore") != str(own):
        return "the path of its root is not UTF-8"
    try:
        found = os.lstat(own)
    except (FileNotFoundError, NotADirectoryError):
        return "" if os.access(own.parent, os.W_OK | os.X_OK) else f"{own.parent} can't be written"
    if not stat.S_ISDIR(found.st_mode):
        return f"{own} is not a folder"
    if found.st_uid != os.geteuid():
        return f"{own} belongs to somebody else"
    if found.st_mode & 0o022:
        return f"{own} can be written by others"
    if not os.access(own, os.W_OK | os.X_OK):
        return f"{own} can't be written"
    if in_git and _is_tracked(own):
        return f"{own} is tracked by git"
    return ""


def _is_tracked(own: Path) -> bool:
    command = [*GIT, "ls-files", "-z", "--cached", "--", own.name]
    try:
        done = subprocess.run(
            command, cwd=own.parent, env=git_environment(), capture_output=True, check=False
        )
    except FileNotFoundError:
        return False
    return bool(done.stdout)


# A repository's own settings may name programs to run (fsmonitor, hooks); reading a listing needs none.
GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


def git_environment() -> dict[str, str]:
    """The environment for git: what a hook or an alias set about *its* repository does not count here."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")
    } | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
