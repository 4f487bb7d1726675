"""The templates of units and plists: in a wheel they lie beside this module, in a checkout in `packaging/`.

What a file may say is decided there; here only the fields between @ signs are filled in, all at once, so that a value
that looks like a field stays what it is.
"""

import re
from collections.abc import Mapping
from pathlib import Path

_FIELD = re.compile(r"@([A-Z_]+)@")


def fill(template: str, values: Mapping[str, str]) -> str:
    """A template by its path, `systemd/cidx.socket.in`, with its fields filled in."""
    return _FIELD.sub(lambda field: values[field.group(1)], read(template))


def read(template: str) -> str:
    here = Path(__file__).resolve().parent
    for folder in (here, here.parents[1] / "packaging"):
        file = folder / template
        if file.is_file():
            return file.read_text(encoding="utf-8")
    raise FileNotFoundError(f"{template} is missing from this installation of cidx")
