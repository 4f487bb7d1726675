"""The packaged model's file, as far as one may ask of it without numpy: magic, length of the header, header in JSON."""

import json
from functools import cache
from pathlib import Path
from typing import IO, Any

MAGIC = b"cidxmodl"
MODEL_FILE = Path(__file__).parent / "model.bin"


@cache
def version() -> str:
    """Of the packaged model."""
    with MODEL_FILE.open("rb") as stream:
        found: str = read_header(stream)["version"]
    return found


def read_header(stream: IO[bytes]) -> dict[str, Any]:
    """What a model says of itself; its tables begin where the stream is afterwards."""
    if stream.read(len(MAGIC)) != MAGIC:
        raise ValueError(f"{stream.name} is not a model")
    header: dict[str, Any] = json.loads(stream.read(int.from_bytes(stream.read(4), "little")))
    return header
