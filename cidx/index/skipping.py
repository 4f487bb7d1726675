"""Why a file is skipped: the reasons, and how one that a program made is told from its name, its top and its shape.

Only what is certain counts, as such a file is not found at all: lock files and source maps, a comment at the top
that says so, and JavaScript and CSS that no editor shows as lines. What `.gitattributes` say goes before this.
"""

import re

BINARY, TOO_LARGE, OVERLONG = "binary", "too large", "with overlong lines"
UNREADABLE, OTHER_LANGUAGE = "unreadable", "other language"
GENERATED, MINIFIED, VENDORED = "generated", "minified", "vendored"

_LOCK_FILES = frozenset(
    b"package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock deno.lock cargo.lock poetry.lock"
    b" pdm.lock uv.lock pipfile.lock composer.lock gemfile.lock podfile.lock mix.lock pubspec.lock flake.lock"
    b" packages.lock.json gradle.lockfile go.sum go.work.sum module.bazel.lock package.resolved".split()
)
_MAP_ENDINGS = (b".js.map", b".mjs.map", b".cjs.map", b".css.map")
_MINIFIED_NAME = re.compile(rb"[.-]min\.(?:js|mjs|cjs|css|map)\Z")

# Go's convention, protoc's and others' in the same words; `@generated` as Meta's and Rust's tools write it.
_SAYS_SO = re.compile(
    rb"^[ \t]*(?:#|//|/\*|\*|--|;|%|<!--|\"\"\")[^\n]*?(?:"
    rb"generated\b[^\n]*\bdo not (?:edit|modify)|do not (?:edit|modify)\b[^\n]*\bgenerated"
    rb"|(?<![\w@])(?:automatically )?@generated\b(?=[^\w`'\")]))",
    re.MULTILINE | re.IGNORECASE,
)
_SAID_WITHIN = 1000

_MAY_BE_MINIFIED = ("javascript", "css")
_MINIFIED_BYTES = 4000
_LONG_LINE_BYTES = 500
# A chunk is whole lines: of such a one no vector and no reader has any use.
_LONGEST_LINE_BYTES = 1_000_000


def by_name(path: bytes) -> str:
    """Why the name alone says so; empty if it does not."""
    name = path[path.rfind(b"/") + 1 :].lower()
    if name in _LOCK_FILES or name.endswith(_MAP_ENDINGS):
        return GENERATED
    return MINIFIED if b"min." in name and _MINIFIED_NAME.search(name) else ""


def by_content(text: bytes, language: str) -> str:
    """Why the content says so; empty if it does not."""
    # Hardly any file has the word, and to look for it takes a tenth of the time.
    if b"generated" in text[:_SAID_WITHIN].lower() and _SAYS_SO.search(text, 0, _SAID_WITHIN):
        return GENERATED
    if language in _MAY_BE_MINIFIED and len(text) >= _MINIFIED_BYTES and _is_minified(text):
        return MINIFIED
    return ""


def is_overlong(text: bytes) -> bool:
    """Whether some line is longer than anything that is read as one."""
    start = 0
    while len(text) - start > _LONGEST_LINE_BYTES:
        end = text.rfind(b"\n", start, start + _LONGEST_LINE_BYTES + 1)
        if end < 0:
            return True
        start = end + 1
    return False


def _is_minified(text: bytes) -> bool:
    """Whether most of it stands in lines that are too long to be written or read by anybody."""
    long = sum(len(line) for line in text.split(b"\n") if len(line) > _LONG_LINE_BYTES)
    return 2 * long > len(text)
