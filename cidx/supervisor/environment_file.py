"""The optional file of variables for the daemon: the shell's own don't reach a service.

It may hold secrets, so it has to be this user's and unreadable for others; `doctor` names one that is not.
"""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from cidx.repository.repository import UserFolders

NAME = "environment"

# Our own settings, proxies and certificates, and whatever names itself a key: the shell ships CIDX_… with each query,
# but the daemon's own life (idle time, memory) goes by what it was started with.
_MATTERS = re.compile(
    r"^CIDX_|^GIT_|_PROXY$|^SSL_CERT|_CA_BUNDLE$|_(API_)?KEY$|_TOKEN$|_SECRET$|^XDG_(CONFIG|CACHE|RUNTIME)_",
    re.IGNORECASE,
)


def path(users: UserFolders) -> Path:
    return users.config / NAME


def problem(file: Path) -> str:
    """Why others might get at what is in it; empty where they can't, or where there is no file."""
    try:
        found = os.stat(file)
    except OSError:
        return ""
    if found.st_uid not in (os.geteuid(), 0):
        return "it belongs to somebody else"
    if stat.S_IMODE(found.st_mode) & 0o077:
        return f"others can read or change it (mode {stat.S_IMODE(found.st_mode):04o})"
    return ""


def load(file: Path) -> dict[str, str]:
    """Its variables: `NAME=value` lines, quotes around a value optional, # begins a comment line."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return {}
    found = {}
    for line in lines:
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith(("#", ";")):
            found[name.strip()] = _unquoted(value.strip())
    return found


def differences(shell: Mapping[str, str], service: Mapping[str, str]) -> dict[str, list[str]]:
    """Names of variables that may change what a daemon does and are not the same on both sides. Never their values."""
    found: dict[str, list[str]] = {}
    for name in sorted(shell.keys() | service.keys()):
        if not _MATTERS.search(name) or shell.get(name) == service.get(name):
            continue
        where = "different" if name in shell and name in service else "only here"
        found.setdefault(where if name in shell else "only in the service", []).append(name)
    return found


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value
