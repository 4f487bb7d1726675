"""Real repositories for tests: files, git, and the command line run in this process or in one of its own."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cidx import cli
from cidx.cli.one_shot import OneShot
from cidx.cli.session import Output, Session, Terminal
from cidx.repository import repository as repositories
from cidx.repository.repository import Repository, UserFolders
from cidx.store import source
from cidx.store.snapshot import Snapshot, open_current
from cidx.text import encoding

CHECKOUT = Path(__file__).parents[1]
# What the installed command starts: it asks the daemon, and becomes the other one where none answers.
LIGHT = f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); from cidx.client.main import main; main()"
GIT_ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org", "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.org", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
}  # fmt: skip


@dataclass(frozen=True)
class Ran:
    """How a command line ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Tree:
    """A folder with files, a home beside it, and what can be done with them."""

    def __init__(self, place: Path, *, git: bool = True) -> None:
        self.root = place / "repository"
        self.root.mkdir(parents=True)
        home = place / "home"
        home.mkdir()
        self.users = UserFolders(home=home, config=home / ".config" / "cidx", cache=home / ".cache" / "cidx")
        # Whoever runs the tests may have a user manager; there is none here.
        self.runtime = place / "run"
        self.runtime.mkdir()
        if git:
            self.git("init", "-q", "-b", "main")

    # The tree

    def write(self, files: Mapping[str, str | bytes]) -> "Tree":
        for path, content in files.items():
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def save(self, path: str, content: str) -> None:
        """Write a file in one step, as editors do by renaming: whoever watches sees it whole."""
        made = self.runtime / "saved"
        made.write_text(content)
        made.rename(self.root / path)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=os.environ | GIT_ENVIRONMENT,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def commit(self, message: str = "change") -> "Tree":
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self

    # The command line

    def session(
        self,
        *,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
        terminal: Terminal | None = None,
    ) -> tuple[Session, io.BytesIO, io.BytesIO]:
        out, err = io.BytesIO(), io.BytesIO()
        session = Session(
            directory=directory or self.root,
            environment={"XDG_RUNTIME_DIR": str(self.runtime), **(environment or {})},
            users=self.users,
            source=OneShot(self.users),
            terminal=terminal or Terminal(),
            out=Output(out),
            err=Output(err),
            cancelled=threading.Event(),
        )
        return session, out, err

    def run(
        self,
        *argv: str,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
        terminal: Terminal | None = None,
    ) -> Ran:
        """Run a command line in this process."""
        session, out, err = self.session(directory=directory, environment=environment, terminal=terminal)
        code = cli.run(argv, session)
        return Ran(
            code, out.getvalue().decode("utf-8", "surrogateescape"), err.getvalue().decode("utf-8", "replace")
        )

    def process_environment(self, **extra: str) -> dict[str, str]:
        return os.environ | {
            "HOME": str(self.users.home),
            "XDG_CONFIG_HOME": str(self.users.home / ".config"),
            "XDG_CACHE_HOME": str(self.users.home / ".cache"),
            **GIT_ENVIRONMENT,
            **extra,
        }

    def spawn(
        self, *argv: str, interpreter: Sequence[str] = (sys.executable,), **extra: str
    ) -> "subprocess.Popen[str]":
        """Start a command line in a process of its own."""
        return subprocess.Popen(
            [*interpreter, "-m", "cidx", *argv],
            cwd=self.root,
            # Safe: a tree may have a package of the name that is run, as cidx's own sources.
            env=self.process_environment(**{"PYTHONPATH": str(CHECKOUT), "PYTHONSAFEPATH": "1", **extra}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start_client(self, *argv: str, **extra: str) -> "subprocess.Popen[str]":
        """Start a command line as the installed command does, which asks a daemon if there is one."""
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", LIGHT, *argv],
            cwd=self.root,
            env=self.process_environment(**extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def process(self, *argv: str, **extra: str) -> Ran:
        """Run a command line in a process of its own; queries are answered there, whoever listens."""
        started = self.spawn(*argv, **extra)
        out, err = started.communicate(timeout=120)
        return Ran(started.returncode, out, err)

    def client(self, *argv: str, **extra: str) -> Ran:
        """Run a command line as the installed command does, which asks a daemon if there is one."""
        started = self.start_client(*argv, **extra)
        out, err = started.communicate(timeout=120)
        return Ran(started.returncode, out, err)

    def index(self, *flags: str) -> Any:
        """Index, and return the summary."""
        ran = self.run("index", "--json", *flags)
        assert ran.code == 0, ran
        return ran.json

    def query(self, text: str, *flags: str) -> Any:
        """Search, and return the answer."""
        ran = self.run("query", "--json", *flags, "--", text)
        assert ran.code in (0, 1), ran
        return ran.json

    def paths(self, text: str, *flags: str) -> list[str]:
        """The paths of the hits, in order."""
        return [hit["path"] for hit in self.query(text, *flags)["hits"]]

    # The index

    @property
    def repository(self) -> Repository:
        return repositories.find(self.root, self.users)

    def snapshot(self) -> Snapshot:
        return open_current(self.repository.index_folder)


def content(snapshot: Snapshot) -> dict[str, Any]:
    """Everything that an index says, without ids: equal for an index and its rebuild."""
    catalogue = snapshot.catalogue
    chunks = catalogue.all_chunks()
    held = snapshot.fulltext.chunk_ids()
    assert all(chunk.id in held for chunk in chunks), "a living chunk is not in full text"
    rows = sorted({chunk.row for chunk in chunks})
    vectors = {
        row: bytes(stored.tobytes()) for row, stored in zip(rows, snapshot.vectors.raw(rows), strict=True)
    }  # type: ignore[arg-type]
    return {
        "files": sorted((f.path, f.digest, f.language, f.skipped) for f in catalogue.files()),
        "chunks": sorted((c.path, *c.span, c.key, vectors[c.row]) for c in chunks),
        "symbols": sorted(
            (path, s.path, s.kind, s.start_line, s.end_line) for path, s in catalogue.symbols()
        ),
        "references": catalogue.references(),
    }


def lines_on_disk(root: Path, path: str, start: int, end: int) -> str:
    lines = source.lines_of(encoding.utf8((root / path).read_bytes()))
    return b"".join(lines[start - 1 : end]).removesuffix(b"\n").decode("utf-8", "replace")
