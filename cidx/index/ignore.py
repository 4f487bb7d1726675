"""Ignore rules as git reads them: nested files, the deepest and last match wins, `!` takes back.

Used for `.gitignore` outside git and for `.cidxignore` everywhere. Likely secrets are left out
unless a `.cidxignore` takes them back by name.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

CIDXIGNORE = b".cidxignore"

# Names and endings of files that likely hold a secret; looked up, not matched, as every path of a tree is asked.
_SECRET_NAMES = frozenset(
    b".env .netrc .pgpass .htpasswd .npmrc .pypirc .git-credentials .dockercfg id_rsa id_dsa id_ecdsa id_ed25519"
    b" id_ecdsa_sk id_ed25519_sk credentials.json".split()
)
_SECRET_ENDINGS = frozenset(b"env pem key p12 pfx jks keystore kdbx ppk asc gpg".split())
# `.env.local` is one, but templates are there to be read.
_TEMPLATE_ENDINGS = (b".example", b".sample", b".template", b".dist", b".default", b".defaults")
_SECRET_PATHS = (b".aws/credentials", b".kube/config", b".docker/config.json")


# Every path of a tree is asked before every answer, and nearly all have another last part: only the rest is looked at.
_SUSPICIOUS = frozenset(
    part[max(part.rfind(b"/"), part.rfind(b".")) + 1 :]
    for part in (*_SECRET_NAMES, *_SECRET_PATHS, *_SECRET_ENDINGS)
)


def is_secret(path: bytes) -> bool:
    """Whether a file by its name likely holds a secret."""
    name = path.rpartition(b"/")[2]
    _, dot, ending = name.rpartition(b".")
    if ending not in _SUSPICIOUS and name[:5] != b".env.":
        return False
    return (
        name in _SECRET_NAMES
        or (bool(dot) and ending in _SECRET_ENDINGS)
        or (name.startswith(b".env.") and not name.endswith(_TEMPLATE_ENDINGS))
        or path.endswith(_SECRET_PATHS)
    )


def parse(content: bytes) -> "GitIgnoreSpec":
    """The rules of one ignore file; a line that is no pattern is passed over, as git does."""
    from pathspec import GitIgnoreSpec

    lines = [line.rstrip("\r") for line in content.decode("utf-8", "surrogateescape").split("\n")]
    return GitIgnoreSpec.from_lines([line for line in lines if _is_pattern(line)])


def _is_pattern(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True


class Rules:
    """The rules of a tree, by the folder whose ignore file they come from (b"" is the root)."""

    def __init__(self, by_folder: Mapping[bytes, "GitIgnoreSpec"] | None = None) -> None:
        self._by_folder = dict(by_folder or {})

    def __bool__(self) -> bool:
        return bool(self._by_folder)

    def add(self, folder: bytes, content: bytes) -> None:
        self._by_folder[folder] = parse(content)

    def verdict(self, path: bytes, *, is_folder: bool = False) -> bool | None:
        """True: ignored, False: taken back, None: no rule speaks of exactly this path."""
        for folder in enclosing(path):
            spec = self._by_folder.get(folder)
            if spec is None:
                continue
            inner = path[len(folder) + 1 :] if folder else path
            found = spec.check_file(_text(inner) + ("/" if is_folder else "")).include
            if found is not None:
                return found
        return None

    def ignores(self, path: bytes, memo: dict[bytes, bool]) -> bool:
        """Whether a file is ignored, itself or by a folder above it; `memo` remembers the folders."""
        folder = path.rpartition(b"/")[0]
        if folder and self._folder_ignored(folder, memo):
            return True
        return self.verdict(path) is True

    def _folder_ignored(self, folder: bytes, memo: dict[bytes, bool]) -> bool:
        for part in reversed([folder, *enclosing(folder)][:-1]):
            known = memo.get(part)
            if known is None:
                known = memo[part] = self.verdict(part, is_folder=True) is True
            if known:
                return True
        return False


def keep(paths: Iterable[bytes], *, rules: Rules, exclude: Iterable[str]) -> list[bytes]:
    """The paths that no rule, no `index.exclude` pattern and no suspicion of a secret leaves out."""
    excluded = Rules()
    if patterns := "\n".join(exclude):
        excluded.add(b"", patterns.encode("utf-8", "surrogateescape"))
    if not rules and not excluded:
        return [path for path in paths if not is_secret(path)]
    folders: dict[bytes, bool] = {}
    excluded_folders: dict[bytes, bool] = {}
    return [
        path
        for path in paths
        if not (is_secret(path) and rules.verdict(path) is not False)
        and not (rules and rules.ignores(path, folders))
        and not (excluded and excluded.ignores(path, excluded_folders))
    ]


def enclosing(path: bytes) -> Iterable[bytes]:
    """The folders above a path, the nearest first, the root last."""
    while path:
        path = path.rpartition(b"/")[0]
        yield path


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
