"""The programs that are measured: the command as a user starts it, the daemon as a supervisor does.

Installed, the first is the launcher. What is imported from a checkout is started from there, by the same two ways in.
"""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cidx

_LIGHT = "import sys; sys.path.append({parent!r}); from cidx.client.main import main; main()"
_HEAVY = "import sys; sys.path.insert(0, {parent!r}); from cidx.__main__ import main; main()"
_IMPORTS = """\
import os, sys
sys.path.insert(0, {parent!r})
for name in sys.argv[1:]:
    try:
        __import__(name)
    except Exception:
        pass
os._exit(0)
"""
# A query that takes this long hangs.
_PATIENCE_S = 120.0
_PARENT = Path(cidx.__file__).resolve().parents[1]


class Ended(NamedTuple):
    """A process from before its start to after its end."""

    took_s: float
    code: int
    err: str


def client() -> list[str]:
    """What `cidx` is on a user's PATH."""
    launcher = Path(sys.executable).parent / "cidx"
    if _PARENT.is_relative_to(Path(sys.prefix).resolve()) and launcher.exists():
        return [str(launcher)]
    return [sys.executable, "-I", "-S", "-c", _LIGHT.format(parent=str(_PARENT))]


def heavy(*flags: str) -> list[str]:
    """The whole command line, which never asks a daemon; flags are the interpreter's."""
    return [sys.executable, "-I", *flags, "-c", _HEAVY.format(parent=str(_PARENT))]


def imports(names: Sequence[str]) -> list[str]:
    """An interpreter that imports these modules and ends."""
    return [sys.executable, "-I", "-c", _IMPORTS.format(parent=str(_PARENT)), *names]


def imported(importtime: str) -> list[str]:
    """The modules in what `-X importtime` said, in the order in which they were complete."""
    lines = (line.split("|") for line in importtime.splitlines() if line.startswith("import time:"))
    names = (parts[2].strip() for parts in lines if len(parts) == 3)
    return [name for name in names if name not in ("imported package", "cidx.__main__")]


def run(command: Sequence[str], *, directory: Path, environment: Mapping[str, str]) -> Ended:
    """Start a program, read what it says, and wait for its end."""
    began = time.perf_counter()
    try:
        ended = subprocess.run(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Ended(time.perf_counter() - began, -1, str(error))
    took_s = time.perf_counter() - began
    return Ended(took_s, ended.returncode, ended.stderr.decode("utf-8", "replace"))
