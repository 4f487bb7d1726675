"""The text of launchd's property lists, and what a service remembers of itself in one.

Pure but for reading the template. XML has no way to write most control characters, and launchd reads text: a path with
either is refused here, before anything is written.
"""

import html
import plistlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from cidx.supervisor import templates
from cidx.supervisor.service import UNIT_VERSION, Definition, unsayable

_NAME = re.compile(r"dev\.cidx\.([0-9a-f]{16})\.plist")
# sockaddr_un of macOS, its final zero left out.
_LONGEST_SOCKET = 103


def label(id_: str) -> str:
    return f"dev.cidx.{id_}"


def id_of(name: str) -> str | None:
    """The id in the name of one of our plists."""
    found = _NAME.fullmatch(name)
    return found.group(1) if found else None


def text(
    definition: Definition, *, log: Path, environment: Mapping[str, str], made: Sequence[str] = ()
) -> str:
    for path, name in ((definition.root, "the repository's path"), (definition.python, "the path of Python")):
        _refuse_unsayable(path, name)
    length = len(definition.socket.encode(errors="surrogateescape"))
    if length > _LONGEST_SOCKET:
        raise unsayable(
            definition.socket,
            "the socket's path",
            f"it has {length} bytes; macOS takes {_LONGEST_SOCKET}",
            remedy="use a home folder with a shorter path",
        )
    values = {
        "ID": definition.id,
        "UNIT_VERSION": str(UNIT_VERSION),
        "REPOSITORY": _xml(definition.root),
        "PYTHON": _xml(definition.python),
        "SOCKET": _xml(definition.socket),
        "LOG": _xml(str(log)),
        "MADE": "".join(f"<string>{_xml(folder)}</string>" for folder in made),
        "ENVIRONMENT": "".join(
            f"<key>{_xml(name)}</key><string>{_xml(value)}</string>" for name, value in environment.items()
        ),
    }
    return templates.fill("launchd/dev.cidx.plist.in", values)


def load(raw: bytes) -> dict[str, Any]:
    """A plist's content; empty where it can't be read."""
    try:
        found = plistlib.loads(raw)
    except (plistlib.InvalidFileException, ExpatError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _xml(value: str) -> str:
    # An XML reader makes a newline of a carriage return.
    return html.escape(value, quote=False).replace("\r", "&#13;")


def _refuse_unsayable(path: str, name: str) -> None:
    for letter in path:
        code = ord(letter)
        if 0xD800 <= code <= 0xDFFF:
            raise unsayable(path, name, "it is not UTF-8, and property lists are")
        if (code < 0x20 and letter not in "\t\n\r") or code & 0xFFFE == 0xFFFE:
            raise unsayable(path, name, f"a property list can't hold the character U+{code:04X}")
