"""Repositories of a user on the machine, and the service of each."""

import json
import os
import shlex
import shutil
import signal
import stat
from pathlib import Path
from typing import Any

from cidx.client import address
from tests.e2e.machine import PATIENCE_S, Answer, User, wait_for
from tests.kit import GIT_ENVIRONMENT

# What every command that asks the daemon keeps, whatever has happened to it: an answer, or an error that says what
# to do, within this time.
PROMISE_S = 10.0
FILES = {"pkg/a.py": "def needle():\n    return 1\n", "pkg/b.md": "# Needle\n\nabout the needle\n"}


class Repository:
    """A git repository of a user: its command line from within it, and its units."""

    def __init__(self, user: User, name: str, files: dict[str, str] | None = None) -> None:
        self.user = user
        self.name = name
        self.root = f"{user.home}/{name}"
        self.id = address.repository_id(self.root)
        self.socket = f"{user.runtime}/cidx/{self.id}.sock"
        self.units = (f"cidx-{self.id}.socket", f"cidx-{self.id}.service")
        for path, content in (FILES if files is None else files).items():
            self.write(path, content)
        self.git("init", "--quiet", "--initial-branch", "main")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "first")

    def git(self, *arguments: str) -> str:
        answer = self.user.run("git", *arguments, directory=self.root, **GIT_ENVIRONMENT)
        assert answer.code == 0, answer
        return answer.out

    def write(self, path: str, content: str) -> None:
        self.user.write(f"{self.root}/{path}", content)

    @property
    def outside(self) -> Path:
        """The root, from outside of the machine."""
        return self.user.home_outside / os.path.relpath(self.root, self.user.home)

    # The command line

    def cidx(self, *argv: str, **variables: str) -> Answer:
        return self.user.run("cidx", *argv, directory=self.root, **variables)

    def done(self, *argv: str) -> Answer:
        """Run what has to work."""
        answer = self.cidx(*argv)
        assert answer.code == 0, f"cidx {shlex.join(argv)}: {answer}"
        return answer

    def query(self, text: str = "needle") -> Answer:
        """A query that is in time, whatever comes of it."""
        answer = self.cidx("query", "--json", text)
        assert answer.took_s < PROMISE_S, answer
        return answer

    def served_by(self) -> str:
        """Who answers; silently, and in time."""
        answer = self.query()
        assert (answer.code, answer.err) == (0, ""), answer
        assert {hit["path"] for hit in answer.json["hits"]} == set(FILES)
        return str(answer.json["served_by"])

    def settings(self, **daemon: object) -> None:
        for name, value in daemon.items():
            self.done("config", "set", f"daemon.{name}", str(value))

    # The service

    def install(self, *flags: str) -> Answer:
        return self.done("service", "install", *flags)

    def has_socket(self) -> bool:
        try:
            return stat.S_ISSOCK(self.user.outside(self.socket).lstat().st_mode)
        except FileNotFoundError:
            return False

    def processes(self) -> list[int]:
        """Everything that runs in the service, by the numbers outside."""
        uid = self.user.uid
        group = f"sys/fs/cgroup/user.slice/user-{uid}.slice/user@{uid}.service/app.slice/{self.units[1]}"
        try:
            return [int(pid) for pid in (self.user.machine.root / group / "cgroup.procs").read_text().split()]
        except OSError:
            return []

    @property
    def pid(self) -> int:
        """The daemon, by its number outside. Now and then a git runs beside it."""
        inside = self.state("MainPID")["service.MainPID"]
        [pid] = [pid for pid in self.processes() if _number_inside(pid) == inside]
        return pid

    def kill(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def state(self, properties: str = "ActiveState,SubState,Result,NRestarts,MainPID") -> dict[str, str]:
        return self.user.units(*self.units, properties=properties)

    def wait_for_state(self, name: str, value: str) -> None:
        wait_for(lambda: self.state()[name] == value, what=f"{name} to be {value} instead of {self.state()}")

    def wait_until_gone(self, timeout_s: float = PATIENCE_S) -> None:
        """Until no process is left, and systemd knows."""
        wait_for(lambda: not self.processes(), what="the daemon to leave", timeout_s=timeout_s)
        self.wait_for_state("service.ActiveState", "inactive")

    def systemctl(self, verb: str, *names: str) -> str:
        return self.user.done("systemctl", "--user", verb, *names)

    @property
    def unit_folder(self) -> str:
        return f"{self.user.home}/.config/systemd/user"

    def override(self, section: str, *lines: str, unit: str | None = None) -> None:
        """Change the service, or another unit, as a user would: by a file beside it."""
        self.user.write(
            f"{self.unit_folder}/{unit or self.units[1]}.d/test.conf", "\n".join([f"[{section}]", *lines, ""])
        )
        self.systemctl("daemon-reload")

    def no_override(self) -> None:
        shutil.rmtree(self.user.home_outside / f".config/systemd/user/{self.units[1]}.d")
        self.systemctl("daemon-reload")

    def journal(self, *filters: str) -> list[dict[str, Any]]:
        self.user.machine.run("journalctl", "--sync")
        lines = self.user.done("journalctl", "--user", "-u", self.units[1], *filters, "-o", "json")
        return [json.loads(line) for line in lines.splitlines()]

    def remove(self) -> None:
        """Whatever state it is in, nothing of it is left."""
        self.user.run("systemctl", "--user", "kill", "--signal", "KILL", self.units[1])
        self.user.run("systemctl", "--user", "stop", *self.units)
        folder = self.user.home_outside / ".config/systemd/user"
        for path in folder.glob(f"**/cidx-{self.id}*"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        self.user.done("systemctl", "--user", "daemon-reload")
        self.user.run("systemctl", "--user", "reset-failed", *self.units)
        for place in (self.unit_folder + "/sockets.target.wants", os.path.dirname(self.socket)):
            self.user.run("rmdir", "--ignore-fail-on-non-empty", place)
        shutil.rmtree(self.outside, ignore_errors=True)


def _number_inside(pid: int) -> str:
    """What a process outside is called on the machine."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return ""
    return next(line.split()[-1] for line in lines if line.startswith("NSpid:"))
