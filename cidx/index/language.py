"""Tell a file's language from its name and its first line, without reading further.

The order is: whole file name, last extension, the name below a template suffix (`setup.py.in`), the
name before the first dot (`Dockerfile.dev`), the interpreter in the first line, else `text`. Where one
extension has two meanings (`.h`, `.ts`) the head of the file tells them apart. Paths are bytes: nothing
here needs them to be UTF-8.
"""

import re
from collections.abc import Iterable

from cidx.api.languages import LANGUAGES, Language

UNKNOWN = "text"


def _lookup(pairs: Iterable[tuple[Language, tuple[str, ...]]]) -> dict[bytes, str]:
    return {key.encode(): language.name for language, keys in pairs for key in keys}


_BY_FILENAME = _lookup((language, language.filenames) for language in LANGUAGES)
_BY_EXTENSION = _lookup((language, language.extensions) for language in LANGUAGES)
_BY_INTERPRETER = _lookup((language, language.interpreters) for language in LANGUAGES)

# What is left when one of these is cut off names the language: `app.conf.example`, `urls.py-tpl`.
_COPY_SUFFIX = re.compile(
    rb"(?:[.-](?:in|tpl|tmpl|template|j2|jinja2?|erb|dist|example|sample|orig|bak|default)|~)$"
)

# What begins a line in C++ and in no C, so that a header is read with the grammar that understands it.
_CPP_HEADER = re.compile(
    rb"^[ \t]*(?:class[ \t]+\w+[^;{\n]*(?:\{|$)|namespace(?:[ \t]+[\w:]+)?[ \t]*(?:\{|$)|template[ \t]*<|using[ \t]+\w"
    rb"|(?:public|private|protected):|#[ \t]*include[ \t]*<(?:string|vector|memory|map|utility|functional)>)",
    re.MULTILINE,
)

_SHEBANG = re.compile(rb"#!\s*(\S+)(.*)")
_VERSION = re.compile(rb"[-.\d]+$")
_ENV_OPTIONS_WITH_VALUE = (b"-u", b"-C", b"-P")
_SHEBANG_BYTES = 256


def detect(path: bytes, head: bytes) -> str:
    """The language's name for the file at `path` whose content begins with `head`."""
    name = path.rpartition(b"/")[2].lower()
    found = _from_name(name) or _from_shebang(head) or UNKNOWN
    if found == "typescript" and head.lstrip()[:5] == b"<?xml":
        return "xml"  # Qt's translation files are called .ts too
    if found == "c" and name.endswith(b".h") and _CPP_HEADER.search(head):
        return "cpp"
    return found


def _from_name(name: bytes) -> str | None:
    names = [name]
    while (below := _COPY_SUFFIX.sub(b"", names[-1])) not in (b"", names[-1]):
        names.append(below)
    return next(filter(None, map(_from_plain_name, reversed(names))), None)


def _from_plain_name(name: bytes) -> str | None:
    found = _BY_FILENAME.get(name)
    if found:
        return found
    stem, dot, extension = name.rpartition(b".")
    if not dot:
        return None
    return _BY_EXTENSION.get(dot + extension) or (_BY_FILENAME.get(name.partition(b".")[0]) if stem else None)


def _from_shebang(head: bytes) -> str | None:
    if head[:2] != b"#!":
        return None
    match = _SHEBANG.match(head[:_SHEBANG_BYTES].partition(b"\n")[0])
    if match is None:
        return None
    program = match[1].rpartition(b"/")[2]
    if program == b"env":
        program = _behind_env(match[2].split()).rpartition(b"/")[2]
    program = program.lower()
    return _BY_INTERPRETER.get(program) or _BY_INTERPRETER.get(_VERSION.sub(b"", program))


def _behind_env(words: list[bytes]) -> bytes:
    """The program that `env` would run: its options and the variables it sets come first."""
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in _ENV_OPTIONS_WITH_VALUE:
            skip = True
        elif word[:2] == b"-S" and len(word) > 2:
            return word[2:]
        elif word[:1] != b"-" and b"=" not in word:
            return word
    return b""
