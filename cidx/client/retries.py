"""How often, and after which waits, a refused connection is tried again: read only once that has happened.

The settings `daemon.max_retries` and `daemon.retry_delays_ms`, from the same places in the same order as all
settings. What is not valid there is passed over: the command itself, which reads them too, says so.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

MAX_RETRIES = 4
RETRY_DELAYS_MS = [100, 500, 1000, 2000]


def delays_s(root: str, *, environment: Mapping[str, str], home: str) -> list[float]:
    """The wait before each further attempt."""
    layers = [_environment(environment), _file(f"{root}/.code-indexer"), _file(_users(environment, home))]
    times: int = _first(layers, "max_retries", MAX_RETRIES, _is_number_of_retries)
    delays: list[int] = _first(layers, "retry_delays_ms", RETRY_DELAYS_MS, _is_list_of_delays)
    return [delays[min(attempt, len(delays) - 1)] / 1000 if delays else 0.0 for attempt in range(times)]


def _environment(environment: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    if (text := environment.get("CIDX_DAEMON_MAX_RETRIES")) is not None:
        found["max_retries"] = _parsed(text)
    if (text := environment.get("CIDX_DAEMON_RETRY_DELAYS_MS")) is not None:
        found["retry_delays_ms"] = _parsed(text if text.lstrip().startswith("[") else f"[{text}]")
    return found


def _file(folder: str) -> dict[str, object]:
    """The daemon's section of a configuration file, if the file is this user's own."""
    try:
        about = os.lstat(folder)
        if about.st_uid != os.geteuid() or about.st_mode & 0o022:
            return {}
        with open(f"{folder}/config.json", encoding="utf-8") as stream:
            section = json.load(stream)["daemon"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return section if isinstance(section, dict) else {}


def _users(environment: Mapping[str, str], home: str) -> str:
    if sys.platform == "darwin":
        return f"{home}/Library/Application Support/cidx"
    return f"{environment.get('XDG_CONFIG_HOME') or home + '/.config'}/cidx"


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _first(layers: list[dict[str, object]], name: str, default: Any, is_valid: Callable[[Any], bool]) -> Any:
    return next((layer[name] for layer in layers if name in layer and is_valid(layer[name])), default)


def _is_number_of_retries(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 10


def _is_list_of_delays(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item <= 60_000 for item in value)
