"""`cidx` as installed, in processes of its own, and a scripted server for it to talk to."""

import contextlib
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cidx.client import address
from tests.kit import Ran, Tree

CHECKOUT = Path(__file__).parents[2]
LAUNCHER = CHECKOUT / "packaging/bin/cidx"


def install(place: Path, *, copy: bool = False) -> Path:
    """An environment laid out as pip leaves it, with this checkout's sources; returns the command."""
    venv.create(place, symlinks=True)
    [packages] = place.glob("lib/python*/site-packages")
    if copy:
        import shutil

        shutil.copytree(CHECKOUT / "cidx", packages / "cidx", ignore=shutil.ignore_patterns("__pycache__"))
    else:
        (packages / "cidx").symlink_to(CHECKOUT / "cidx")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    command = place / "bin/cidx"
    command.write_bytes(LAUNCHER.read_bytes())
    command.chmod(0o755)
    return command


@dataclass(frozen=True)
class Ended:
    """How a process ended, in bytes."""

    code: int
    out: bytes
    err: bytes


class Installed:
    """The command for one tree, with a runtime folder whose path is short enough for sockets."""

    def __init__(self, command: Path, tree: Tree, runtime: Path) -> None:
        self.command = command
        self.tree = tree
        self.runtime = runtime
        (runtime / "cidx").mkdir(mode=0o700)

    def socket(self, root: Path | None = None) -> Path:
        found = {"XDG_RUNTIME_DIR": str(self.runtime)}
        return Path(
            address.socket_path(
                str(root or self.tree.root), environment=found, home=str(self.tree.users.home)
            )
        )

    def environment(self, **extra: str) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CIDX_")}
        ours = {"XDG_RUNTIME_DIR": str(self.runtime)} | extra
        return inherited | self.tree.process_environment(**ours)

    def start(
        self,
        *argv: str | bytes,
        cwd: Path | bytes | None = None,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> "subprocess.Popen[bytes]":
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [self.command, *argv],
            cwd=cwd or self.tree.root,
            env=self.environment(**(environment or {})),
            **(streams | options),
        )

    def __call__(self, *argv: str | bytes, **options: Any) -> Ended:
        process = self.start(*argv, **options)
        out, err = process.communicate(timeout=60)
        return Ended(process.returncode, out or b"", err or b"")

    def here(self, *argv: str) -> Ran:
        """The same without any daemon, as `python -I -m cidx` does it."""
        done = subprocess.run(
            [self.command.parent / "python", "-I", "-m", "cidx", *argv],
            cwd=self.tree.root,
            env=self.environment(CIDX_STANDALONE="1"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    @contextlib.contextmanager
    def server(self, root: Path | None = None, **script: Any) -> Iterator["Script"]:
        """A server where the daemon of the tree would be."""
        with tempfile.NamedTemporaryFile("r", prefix="cidx-log-") as log:
            script |= {
                "path": str(self.socket(root)),
                "log": log.name,
                "repository": script.get("repository", address.repository_id(str(root or self.tree.root))),
            }
            process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("server.py"), json.dumps(script)],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
                yield Script(Path(log.name), process)
            finally:
                process.kill()
                process.communicate()
                self.socket(root).unlink(missing_ok=True)


class Script:
    """What has happened to the scripted server so far."""

    def __init__(self, log: Path, process: "subprocess.Popen[str]") -> None:
        self._log = log
        self.process = process

    def entries(self, *kinds: str) -> list[list[Any]]:
        lines = self._log.read_text().splitlines()
        return [entry for entry in map(json.loads, lines) if entry[0] in kinds]

    @property
    def happened(self) -> list[str]:
        """The kinds of what happened, in order."""
        return [entry[0] for entry in self.entries("connection", "hello", "run", "cancel")]

    def wait_for(self, kind: str) -> None:
        import time

        deadline = time.monotonic() + 20
        while not self.entries(kind):
            assert time.monotonic() < deadline, self.happened
            time.sleep(0.01)
