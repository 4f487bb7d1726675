"""`cidx service` and its traces elsewhere, with launchd's contract in place of a supervisor, and without any.

What systemd does is tested with systemd (`tests/e2e`).
"""

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cidx.client import address
from tests.kit import Ran, Tree
from tests.supervisor.kit import Launchctl, pretend_mac

CODE = {"a.py": "def needle(): ...\n"}


class Mac:
    """A repository of a user with launchd; `cidx` runs in this process."""

    def __init__(self, tree: Tree, folder: Path) -> None:
        self.tree = tree
        self.launchctl = Launchctl(folder)
        self.home = tree.users.home
        self.agents = self.home / "Library/LaunchAgents"
        self.sockets = self.home / ".cidx/run"
        self.listeners: list[socket.socket] = []

    def run(self, *argv: str, directory: Path | None = None, **environment: str) -> Ran:
        return self.tree.run(
            *argv, directory=directory, environment={"PATH": self.launchctl.path, **environment}
        )

    def json(self, *argv: str) -> Any:
        return json.loads(self.run(*argv, "--json").out)

    def listen(self, root: Path | None = None) -> None:
        """What launchd does for an agent."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.sockets / f"{address.repository_id(str(root or self.tree.root))}.sock"))
        listener.listen()
        self.listeners.append(listener)


@pytest.fixture
def tree(short: Path) -> Tree:
    return Tree(short)


@pytest.fixture
def mac(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mac]:
    pretend_mac(monkeypatch)
    # A Python that finds this checkout without the help of an environment.
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\n[ "$1" != -I ] || shift\nPYTHONPATH="{Path(__file__).parents[2]}" exec "{sys.executable}" "$@"\n'
    )
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    mac = Mac(tree.write(CODE), tmp_path)
    yield mac
    for listener in mac.listeners:
        listener.close()


def below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if ".git" not in path.parts}


def test_install_and_uninstall_leave_nothing(mac: Mac) -> None:
    """Neither in the home folder nor in the repository, whether or not it has an index."""
    before = below(mac.home), below(mac.tree.root)
    ran = mac.run("service", "install")
    assert (ran.code, ran.err) == (0, "")
    link = mac.tree.root / ".code-indexer/daemon.sock"
    assert link.readlink().parent == mac.sockets
    assert mac.tree.git("status", "--porcelain") == "?? a.py\n"
    assert "already installed" in mac.run("service", "install").out
    assert "removed" in mac.run("service", "uninstall").out
    assert mac.launchctl.agents == []
    left = below(mac.home) - before[0], below(mac.tree.root) - before[1]
    assert left == (set(), set())
    mac.tree.index()
    mac.run("service", "install")
    mac.run("service", "uninstall")
    assert mac.tree.paths("needle") == ["a.py"]
    assert mac.run("service", "uninstall").code == 0


def test_a_dry_run_shows_and_does_nothing(mac: Mac) -> None:
    before = below(mac.home) | below(mac.tree.root)
    ran = mac.run("service", "install", "--dry-run")
    assert f"would write {mac.agents}/dev.cidx." in ran.out
    assert str(mac.tree.root) in ran.out
    assert below(mac.home) | below(mac.tree.root) == before
    mac.run("service", "install")
    mac.listen()
    assert "would remove" in mac.run("service", "uninstall", "--dry-run").out
    assert mac.run("service", "repair", "--dry-run").out == ""
    assert mac.launchctl.agents


def test_several_repositories_at_once(mac: Mac, make_tree: Any) -> None:
    others = [make_tree(name).root for name in "xy"]
    assert mac.run("service", "install", str(others[0]), str(others[1])).code == 0
    listed = mac.json("service", "list")
    assert [row["repository"] for row in listed] == [str(root) for root in others]
    assert [row["orphan"] for row in listed] == [False, False]
    assert "already installed" in mac.run("service", "install", "--all").out
    assert mac.run("service", "uninstall", listed[0]["id"]).code == 0
    assert [row["repository"] for row in mac.json("service", "list")] == [str(others[1])]
    assert mac.run("service", "uninstall", "--all").code == 0
    assert mac.json("service", "list") == []


def test_a_bad_path_among_several_installs_nothing(mac: Mac) -> None:
    bad = mac.tree.root.parent / "caf\udce9"
    (bad / ".git").mkdir(parents=True)
    ran = mac.run("service", "install", ".", str(bad))
    assert ran.code == 2
    assert "[unsupported-path]" in ran.err
    assert not mac.agents.exists()
    assert not (mac.tree.root / ".code-indexer").exists()


def test_status_says_what_is_wrong_and_wakes_nobody(mac: Mac) -> None:
    ran = mac.run("service", "status")
    assert (ran.code, "[not-installed]" in ran.err) == (4, True)
    mac.run("service", "install")
    ran = mac.run("service", "status")
    assert ran.code == 1
    assert "next: cidx service repair" in ran.out
    mac.listen()
    assert mac.run("service", "status").code == 0
    found = mac.json("service", "status")
    assert (found["state"], found["faults"], found["daemon"]) == ("listening", [], None)
    service = mac.json("status")["service"]
    assert {name: service[name] for name in ("supervisor", "installed", "state")} == {
        "supervisor": "launchd", "installed": True, "state": "listening",
    }  # fmt: skip
    assert mac.json("doctor")
    mac.listeners[0].setblocking(False)
    with pytest.raises(BlockingIOError):
        mac.listeners[0].accept()


def test_repair_mends_and_says_what(mac: Mac) -> None:
    mac.run("service", "install")
    (plist,) = mac.agents.iterdir()
    plist.write_text(plist.read_text().replace(f"<string>{sys.executable}<", "<string>/gone/python<"))
    assert "interpreter-gone" in mac.run("service", "list").out
    mac.run("service", "repair")
    assert sys.executable in plist.read_text()
    mac.listen()
    assert mac.run("service", "repair").out == "nothing to repair\n"


def test_a_moved_repository_leaves_an_orphan_that_repair_removes(mac: Mac) -> None:
    mac.run("service", "install")
    moved = mac.tree.root.rename(mac.tree.root.parent / "moved")
    (row,) = json.loads(mac.run("service", "list", "--json", directory=moved).out)
    assert row["orphan"]
    assert mac.run("service", "status", directory=moved).code == 4
    doctor = mac.run("doctor", directory=moved)
    assert str(mac.tree.root) in doctor.out
    assert "cidx service repair --all" in doctor.out
    assert mac.run("service", "repair", "--all", directory=moved).code == 0
    assert not list(mac.agents.glob("*"))


def test_the_setting_and_init_install_and_remove(mac: Mac) -> None:
    assert mac.run("init", "--daemon").code == 0
    assert mac.launchctl.agents
    assert mac.run("config", "set", "daemon.enabled", "false").code == 0
    assert not mac.launchctl.agents
    assert mac.run("config", "set", "daemon.enabled", "true").code == 0
    assert mac.launchctl.agents
    assert mac.run("init", "--no-daemon").code == 0
    assert not mac.launchctl.agents
    assert mac.run("config", "get", "daemon.enabled").out == "false\n"
    assert "daemon.enabled = true" in mac.run("service", "install").out
    assert mac.run("config", "get", "daemon.enabled").out == "true\n"


def test_a_daemon_in_the_foreground_makes_room(mac: Mac) -> None:
    mac.tree.index()
    daemon = mac.tree.spawn("daemon", "serve", XDG_RUNTIME_DIR="")
    try:
        assert daemon.stderr is not None
        assert "serving" in daemon.stderr.readline()
        assert mac.run("service", "install").code == 0
        assert daemon.wait(timeout=30) == 0
    finally:
        daemon.kill()
        daemon.communicate()


def test_logs_are_printed(mac: Mac) -> None:
    mac.run("service", "install")
    (log,) = (mac.home / "Library/Logs/cidx").iterdir()
    log.write_text("".join(f"line {number}\n" for number in range(5)))
    assert mac.run("service", "logs", "-n", "2").out == "line 3\nline 4\n"
    assert mac.run("service", "logs", "--since", "today").code == 2


def test_a_supervisor_that_fails_is_an_error_and_leaves_nothing(mac: Mac) -> None:
    mac.launchctl.set("refuse", "5")
    ran = mac.run("service", "install")
    assert ran.code == 4
    assert "[supervisor-failed]" in ran.err
    assert not (mac.tree.root / ".code-indexer").exists()
    assert not list(mac.agents.glob("*"))


def test_a_supervisor_that_does_not_answer_keeps_no_status_back(mac: Mac) -> None:
    mac.run("service", "install")
    ran = mac.tree.run("status", "--json", environment={"PATH": "/nowhere"})
    assert ran.code == 0
    assert "launchctl is not on PATH" in ran.json["service"]["detail"]
    assert mac.tree.run("service", "status", environment={"PATH": "/nowhere"}).code == 4


def test_doctor_tells_shell_and_service_apart(mac: Mac) -> None:
    mac.run("service", "install")
    file = mac.tree.users.config / "environment"
    file.parent.mkdir(parents=True)
    file.write_text("SOME_API_KEY=secret\n")
    file.chmod(0o644)
    out = mac.run("doctor", HTTPS_PROXY="http://user:password@proxy", HARMLESS="1").out
    assert "others can read or change it (mode 0644)" in out
    assert f"chmod 600 {file}" in out
    assert "only here: HTTPS_PROXY" in out
    assert "only in the service: SOME_API_KEY" in out
    assert "HARMLESS" not in out
    assert "secret" not in out
    assert "password" not in out
    file.chmod(0o600)
    assert "others can read" not in mac.run("doctor").out
    file.write_text("PATH=/nowhere\n")
    assert "the daemon finds no git, and this shell does: its PATH is /nowhere" in mac.run("doctor").out


@pytest.mark.parametrize(
    "argv",
    [
        *(
            ["service", verb]
            for verb in ("install", "uninstall", "status", "list", "restart", "repair", "logs")
        ),
        ["service", "install", "--now", "--dry-run"],
        ["init", "--daemon"],
        ["config", "set", "daemon.enabled", "true"],
    ],
    ids=" ".join,
)
def test_without_a_supervisor_it_says_why_and_what_works(tree: Tree, argv: list[str]) -> None:
    ran = tree.run(*argv)
    assert ran.code == 4
    what, why, next_step = ran.err.splitlines()
    assert what == "cidx: there is no supervisor that could own the socket [no-supervisor]"
    assert why
    assert "cidx daemon serve" in next_step


def test_without_a_supervisor_the_rest_works(tree: Tree) -> None:
    tree.write(CODE).commit()
    tree.index()
    assert tree.run("config", "set", "daemon.enabled", "false").code == 0
    assert tree.run("init", "--no-daemon").code == 0
    service = tree.run("status", "--json").json["service"]
    assert (service["supervisor"], service["installed"], service["state"]) == ("none", False, "none")
    doctor = tree.run("doctor")
    assert doctor.code == 0
    assert "no supervisor: " in doctor.out


def test_a_python_that_needs_this_shell_is_refused(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/usr/bin/false")
    ran = mac.run("service", "install")
    assert ran.code == 4
    assert "PYTHONPATH" in ran.err
    assert not mac.agents.exists()


def test_root_is_found_from_a_folder_below(mac: Mac) -> None:
    (mac.tree.root / "sub").mkdir()
    assert mac.run("service", "install", directory=mac.tree.root / "sub").code == 0
    assert mac.run("service", "uninstall", "sub").out == f"removed: {mac.tree.root}\n"
    assert os.listdir(mac.tree.root / "sub") == []
