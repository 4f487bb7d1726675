"""A real daemon in a process of its own, and stock RPyC clients for it."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import rpyc
from rpyc.utils.factory import unix_connect

from cidx.api.versions import PROTOCOL, VERSION
from cidx.client import address
from tests.kit import Ran, Tree


class Daemon:
    """The daemon of a tree; `records` is what it has logged."""

    def __init__(self, tree: Tree, process: "subprocess.Popen[str]", path: str) -> None:
        self.tree = tree
        self.process = process
        self.path = path
        self.runtime = str(Path(path).parents[1])
        self.records: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.records.extend(self.process.stderr)

    def log(self) -> str:
        """All that it has logged, once it has ended."""
        self.process.wait(timeout=20)
        self._reader.join()
        return "".join(self.records)

    @contextlib.contextmanager
    def connect(self) -> "Iterator[rpyc.Connection]":
        connection = unix_connect(self.path)
        try:
            yield connection
        finally:
            connection.close()

    def run(
        self,
        *argv: str,
        directory: str | os.PathLike[str] | None = None,
        environment: Mapping[str, str] | None = None,
        columns: int = 80,
        terminal: bool = False,
        request: str = "test",
    ) -> Ran:
        """A command line through the daemon."""
        with self.connect() as connection:
            root = connection.root
            assert root.hello((PROTOCOL, VERSION, os.getpid()))[4] == "ready"
            code, out, err = root.run(
                tuple(os.fsencode(argument) for argument in argv),
                os.fsencode(directory or self.tree.root),
                (columns, terminal, terminal),
                tuple((k.encode(), v.encode()) for k, v in (environment or {}).items()),
                b"",
                request,
            )
        return Ran(code, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "replace"))

    def ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        with self.connect() as connection:
            return getattr(connection.root, method)(*arguments, **options)


@contextlib.contextmanager
def serving(
    tree: Tree, *, interpreter: Sequence[str] = (sys.executable,), **environment: str
) -> Iterator[Daemon]:
    """The foreground daemon of a tree, ready; it has left when the block ends."""
    # A socket's path has at most 107 bytes, which the folders of tests use up.
    runtime = Path(environment.pop("XDG_RUNTIME_DIR", "") or tempfile.mkdtemp(prefix="cidx-"))
    extra = {"XDG_RUNTIME_DIR": str(runtime), "CIDX_LOG": "warning", **environment}
    process = tree.spawn("daemon", "serve", interpreter=interpreter, **extra)
    try:
        assert process.stderr is not None
        assert process.stdout is not None
        said = process.stderr.readline()
        assert "serving" in said, said + process.stderr.read()
        found = {"XDG_RUNTIME_DIR": str(runtime)}
        path = address.socket_path(str(tree.root), environment=found, home=str(tree.users.home))
        daemon = Daemon(tree, process, path)
        try:
            yield daemon
        finally:
            process.terminate()
            # Shown with a test that failed.
            print(daemon.log(), end="")
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()
        process.stderr.close()
        shutil.rmtree(runtime, ignore_errors=True)
