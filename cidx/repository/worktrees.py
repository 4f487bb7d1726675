"""The other worktrees of a repository's git: the same files at other commits."""

import os
import subprocess
from pathlib import Path

from cidx.repository.repository import FOLDER, GIT, INDEX, Repository, git_environment, why_not

# Somebody with more has the nearest among the first.
_MOST = 8


def index_folders(repository: Repository) -> list[Path]:
    """Where the other worktrees have their indexes, if they have any in their roots that can be trusted."""
    if not repository.in_git:
        return []
    roots = [root for root in _roots(repository.root) if root != repository.root]
    own = [root / FOLDER for root in roots[:_MOST]]
    return [folder / INDEX for folder in own if folder.is_dir() and not why_not(folder, in_git=True)]


def _roots(root: Path) -> list[Path]:
    command = [*GIT, "worktree", "list", "--porcelain", "-z"]
    try:
        done = subprocess.run(command, cwd=root, env=git_environment(), capture_output=True, check=False)
    except FileNotFoundError:
        return []
    lines = done.stdout.split(b"\0")
    return [
        Path(os.fsdecode(line.removeprefix(b"worktree "))) for line in lines if line.startswith(b"worktree ")
    ]
