"""The text of systemd's unit files: names, quoting, and the X- fields in which a service remembers what it is.

Pure but for reading templates. systemd's grammar has three ways to write a path, each with its own quoting; what none
of them can say is refused here, before anything is written.
"""

import json
import re
from collections.abc import Sequence

from cidx.supervisor import templates
from cidx.supervisor.service import UNIT_VERSION, Definition, unsayable

_NAME = re.compile(r"cidx-([0-9a-f]{16})\.(socket|service)")
_X_FIELD = re.compile(r"^X-Cidx(\w+)=(.*)$", re.MULTILINE)
# systemd prints descriptions in tables and in every journal line of a unit.
_LONGEST_NAME = 80


def socket_name(id_: str) -> str:
    return f"cidx-{id_}.socket"


def service_name(id_: str) -> str:
    return f"cidx-{id_}.service"


def id_of(name: str) -> str | None:
    """The id in the name of one of our units."""
    found = _NAME.fullmatch(name)
    return found.group(1) if found else None


def socket_text(definition: Definition, *, made: Sequence[str] = ()) -> str:
    return templates.fill("systemd/cidx.socket.in", _values(definition, made))


def service_text(definition: Definition, *, made: Sequence[str] = ()) -> str:
    return templates.fill("systemd/cidx.service.in", _values(definition, made))


def fields(text: str) -> dict[str, str]:
    """The X- fields of a unit file by their names without `X-Cidx`, as they were written."""
    return dict(_X_FIELD.findall(text))


def from_field(text: str) -> object:
    """The value of a field; None where somebody has written something else into it."""
    try:
        value: object = json.loads(text)
    except ValueError:
        return None
    return value


def _values(definition: Definition, made: Sequence[str]) -> dict[str, str]:
    for path, name in (
        (definition.root, "the repository's path"),
        (definition.python, "the path of Python"),
        (definition.environment_file, "the path of the configuration folder"),
    ):
        _refuse_unsayable(path, name)
    _refuse_in_program(definition.python)
    _refuse_in_bare_path(definition.environment_file)
    return {
        "ID": definition.id,
        "NAME": _doubled(readable(definition.root)),
        "UNIT_VERSION": str(UNIT_VERSION),
        "REPOSITORY": quoted(definition.root),
        "REPOSITORY_FIELD": json.dumps(definition.root),
        "PYTHON": quoted(definition.python),
        "PYTHON_FIELD": json.dumps(definition.python),
        "MADE_FIELD": json.dumps(list(made)),
        "ENVIRONMENT_FILE": _doubled(definition.environment_file),
        "MEMORY_HIGH": f"{definition.memory_limit_mb}M",
        "MEMORY_MAX": f"{definition.memory_limit_mb * 5 // 4}M",
    }


def quoted(text: str) -> str:
    """Between double quotes in an argument of ExecStart."""
    return "".join(_in_quotes(letter) for letter in text)


def _in_quotes(letter: str) -> str:
    if letter in '\\"':
        return "\\" + letter
    if letter == "%":
        return "%%"
    return letter if letter.isprintable() else "".join(f"\\x{byte:02x}" for byte in letter.encode())


def readable(path: str) -> str:
    """A path in one line of a bounded length, its end kept; never the last word of a line's grammar."""
    name = "".join(letter if letter.isprintable() else "?" for letter in path)
    name = name if len(name) <= _LONGEST_NAME else "…" + name[1 - _LONGEST_NAME :]
    # A backslash at the end would join the next line.
    return name + "/" if name.endswith("\\") else name


def _doubled(text: str) -> str:
    return text.replace("%", "%%")


def _refuse_unsayable(path: str, name: str) -> None:
    """systemd and D-Bus take text, and not all of Unicode."""
    for letter in path:
        code = ord(letter)
        if 0xD800 <= code <= 0xDFFF:
            raise unsayable(path, name, "it is not UTF-8, and unit files are")
        if 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE:
            raise unsayable(path, name, f"systemd refuses the character U+{code:04X}")


def _refuse_in_program(path: str) -> None:
    found = next((letter for letter in path if letter in "\"'\\" or not letter.isprintable()), None)
    if found is not None:
        raise unsayable(path, "the path of Python", f"systemd starts no program with {found!r} in its path")


def _refuse_in_bare_path(path: str) -> None:
    """Written without quotes, and read as a pattern."""
    found = next((letter for letter in path if letter in "\\*?[" or not letter.isprintable()), None)
    if found is not None:
        name = "the path of the configuration folder"
        raise unsayable(path, name, f"systemd would read {found!r} in it as something else")
