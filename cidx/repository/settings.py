"""What a repository wants: every setting with its type, range and default in one table.

Order of precedence: the environment (`CIDX_DAEMON_TTL_MINUTES`), the repository's `config.json`, the
user's own `config.json`, the default. Unknown keys are kept when a file is written and named by
`unknown_keys`; a bad value is an error that names its path and what is allowed.
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cidx.api import languages
from cidx.api.errors import CidxError, Code

VERSION = "2.0.0"
FILE = "config.json"


def _setting(
    default: Any,
    help_text: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    languages: bool = False,
) -> Any:
    metadata = {"help": help_text, "minimum": minimum, "maximum": maximum, "languages": languages}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """What is indexed."""

    max_file_bytes: int = _setting(1_048_576, "larger files are left out", minimum=1, maximum=2**31)
    exclude: tuple[str, ...] = _setting((), "patterns of files to leave out, as in .gitignore")
    languages: tuple[str, ...] = _setting((), "only these languages; empty: all", languages=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSettings:
    """How the daemon of this repository lives."""

    enabled: bool = _setting(True, "whether this repository has a service")
    ttl_minutes: float = _setting(
        10.0, "idle time after which memory is given back", minimum=0.01, maximum=10080
    )
    auto_shutdown_on_idle: bool = _setting(True, "whether the idle daemon leaves")
    max_retries: int = _setting(4, "reconnections after a connection broke", minimum=0, maximum=10)
    retry_delays_ms: tuple[int, ...] = _setting(
        (100, 500, 1000, 2000), "waits before each reconnection", minimum=0, maximum=60_000
    )
    eviction_check_interval_seconds: float = _setting(
        60.0, "how often idleness is looked at", minimum=0.1, maximum=3600
    )
    memory_limit_mb: int = _setting(0, "what the daemon keeps within; 0: derived from the index", minimum=0)
    auto_index: bool = _setting(True, "whether changes are indexed without being asked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    index: IndexSettings = dataclasses.field(default_factory=IndexSettings)
    daemon: DaemonSettings = dataclasses.field(default_factory=DaemonSettings)


SECTIONS: dict[str, type] = {"index": IndexSettings, "daemon": DaemonSettings}


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table: `path` is `daemon.ttl_minutes`."""

    path: str
    type: str
    default: Any
    help: str
    minimum: float | None
    maximum: float | None
    languages: bool

    @property
    def variable(self) -> str:
        return "CIDX_" + self.path.replace(".", "_").upper()

    @property
    def allowed(self) -> str:
        if self.languages:
            return "a list of languages that cidx knows, like python,go"
        words = {
            "int": "a whole number",
            "float": "a number",
            "bool": "true or false",
            "tuple[str, ...]": "a list of strings",
            "tuple[int, ...]": "a list of whole numbers",
        }[self.type]
        if self.minimum is not None and self.maximum is not None:
            return f"{words} from {self.minimum:g} to {self.maximum:g}"
        return words if self.minimum is None else f"{words}, {self.minimum:g} or more"


def _name_of(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not hasattr(kind, "__args__") else str(kind)


SETTINGS: dict[str, Setting] = {
    f"{section}.{field.name}": Setting(
        f"{section}.{field.name}",
        _name_of(field.type),
        field.default,
        field.metadata["help"],
        field.metadata["minimum"],
        field.metadata["maximum"],
        field.metadata["languages"],
    )
    for section, cls in SECTIONS.items()
    for field in dataclasses.fields(cls)
}


# Raw values of one source by their paths, each with the name that errors and `config show` give the source.
Layer = dict[str, tuple[Any, str]]


def load(folder: Path, user_folder: Path, environment: Mapping[str, str]) -> Settings:
    """The settings in force."""
    values = {path: value for path, (value, _) in origins(folder, user_folder, environment).items()}
    return Settings(
        **{
            section: cls(**{f.name: values[f"{section}.{f.name}"] for f in dataclasses.fields(cls)})
            for section, cls in SECTIONS.items()
        }
    )


def origins(folder: Path, user_folder: Path, environment: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    """Every setting with its value and the source it comes from."""
    layers = [_environment(environment)]
    layers += [_flatten(read_file(file), str(file)) for file in (folder / FILE, user_folder / FILE)]
    found: dict[str, tuple[Any, str]] = {}
    for path, setting in SETTINGS.items():
        value, source = next((layer[path] for layer in layers if path in layer), (setting.default, "default"))
        found[path] = (value if source == "default" else check(setting, value, source), source)
    return found


def read_file(file: Path) -> dict[str, Any]:
    """A configuration file as it stands; empty where there is none."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise _bad_file(file, f"it can't be read: {error}") from None
    try:
        raw = json.loads(text)
    except RecursionError:
        raise _bad_file(file, "it is nested too deeply") from None
    except ValueError as error:
        raise _bad_file(file, f"it is not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise _bad_file(file, "it has to be a JSON object")
    _refuse_newer(file, raw.get("version", VERSION))
    return raw


def unknown_keys(file: Path) -> list[str]:
    """Keys that mean nothing to this version, typing mistakes among them."""
    known = {"version", *SETTINGS}
    return sorted(key for key in _flatten(read_file(file), str(file)) if key not in known)


def find_setting(path: str) -> Setting:
    """The row of a setting; an unknown path is an error that names the nearest ones."""
    if path in SETTINGS:
        return SETTINGS[path]
    import difflib

    near = difflib.get_close_matches(path, SETTINGS, n=1, cutoff=0.5)
    raise CidxError(
        Code.USAGE,
        what=f"there is no setting {path!r}",
        why=f"did you mean {near[0]}?" if near else "it is not in the table of settings",
        next_step="cidx config show",
    )


def parse(setting: Setting, text: str, source: str) -> Any:
    """A value given as text: JSON, or a plain word or comma-separated list where that is meant."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    if setting.type.startswith("tuple") and not isinstance(value, list):
        value = [_number_or_text(part.strip()) for part in text.split(",") if part.strip()]
    return check(setting, value, source)


def check(setting: Setting, value: Any, source: str) -> Any:
    """The value in its own type, or an error naming the path and the allowed range."""
    converted = _convert(setting.type, value)
    if converted is not None and _in_range(setting, converted):
        return converted
    raise CidxError(
        Code.BAD_CONFIG,
        what=f"{setting.path} can't be {json.dumps(value)}",
        why=f"it has to be {setting.allowed} (set in {source})",
        next_step=f"cidx config set {setting.path} {_as_text(setting.default)}",
    )


def write_value(file: Path, setting: Setting, value: Any) -> None:
    """Set one value in a file, keeping everything else in it."""
    raw = read_file(file)
    section, name = setting.path.split(".")
    if not isinstance(raw.get(section, {}), dict):
        raise _bad_file(file, f"{section} has to be an object")
    raw.setdefault("version", VERSION)
    raw.setdefault(section, {})[name] = list(value) if isinstance(value, tuple) else value
    write_file(file, raw)


def defaults() -> dict[str, Any]:
    """What `cidx init` writes."""
    return {"version": VERSION, **{section: dataclasses.asdict(cls()) for section, cls in SECTIONS.items()}}


def write_file(file: Path, raw: dict[str, Any]) -> None:
    """Replace a configuration file whole, or leave it as it was."""
    import tempfile

    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{FILE}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(raw, stream, indent=2, ensure_ascii=False)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, file)
    except BaseException:
        os.unlink(temporary)
        raise


def _environment(environment: Mapping[str, str]) -> Layer:
    found: Layer = {}
    for path, setting in SETTINGS.items():
        if setting.variable in environment:
            source = f"${setting.variable}"
            found[path] = (parse(setting, environment[setting.variable], source), source)
    return found


def _flatten(raw: Mapping[str, Any], source: str) -> Layer:
    found: Layer = {}
    for section, content in raw.items():
        if section not in SECTIONS:
            found[section] = (content, source)
        elif isinstance(content, dict):
            found |= {f"{section}.{name}": (value, source) for name, value in content.items()}
        else:
            raise _bad_file(Path(source), f"{section} has to be an object")
    return found


def _convert(kind: str, value: Any) -> Any:
    """The value in the wanted type, or None where it is of another."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case "bool":
            return value if isinstance(value, bool) else None
        case "int":
            return int(value) if number and value == int(value) else None
        case "float":
            return float(value) if number else None
        case "tuple[str, ...]":
            items = value if isinstance(value, list | tuple) else [None]
            return tuple(items) if all(isinstance(item, str) for item in items) else None
        case _:
            items = value if isinstance(value, list | tuple) else [None]
            return tuple(items) if all(type(item) is int for item in items) else None


def _in_range(setting: Setting, value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_in_range(setting, item) for item in value)
    if isinstance(value, str | bool):
        return not setting.languages or languages.by_name(str(value)) is not None
    return not (
        (setting.minimum is not None and value < setting.minimum)
        or (setting.maximum is not None and value > setting.maximum)
        or value != value
    )


def _number_or_text(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def _as_text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "'[]'"
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)


def _refuse_newer(file: Path, version: Any) -> None:
    try:
        major = int(str(version).split(".")[0])
    except ValueError:
        raise _bad_file(file, f"version {version!r} is not a version like {VERSION}") from None
    if major > int(VERSION.split(".")[0]):
        raise CidxError(
            Code.NEWER_CONFIG,
            what=f"{file} is of version {version}",
            why=f"this cidx understands versions up to {VERSION}",
            next_step="upgrade cidx, or write the file anew with: cidx init --force",
        )


def _bad_file(file: Path, why: str) -> CidxError:
    return CidxError(
        Code.BAD_CONFIG,
        what=f"the configuration {file} can't be used",
        why=why,
        next_step="correct the file, or write it anew with: cidx init --force",
    )
