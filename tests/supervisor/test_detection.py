"""Which supervisor runs here, or why none does."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cidx.repository.repository import UserFolders
from cidx.supervisor import detection
from cidx.supervisor.detection import Absent
from cidx.supervisor.systemd import Systemd


@pytest.fixture
def users(tmp_path: Path) -> UserFolders:
    return UserFolders(home=tmp_path, config=tmp_path / "config", cache=tmp_path / "cache")


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """The root folder of a machine on which systemd runs."""
    (tmp_path / "machine/run/systemd/system").mkdir(parents=True)
    return tmp_path / "machine"


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder in which a user manager listens."""
    folder = tmp_path / "runtime"
    (folder / "systemd").mkdir(parents=True)
    monkeypatch.chdir(folder / "systemd")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("private")
        yield folder


def why(users: UserFolders, system: Path, **environment: str) -> str:
    found = detection.find(users, environment, system=system)
    assert isinstance(found, Absent)
    assert "\n" not in found.why
    return found.why


def test_a_user_manager_is_found_by_its_private_socket(
    users: UserFolders, system: Path, runtime: Path
) -> None:
    found = detection.find(users, {"XDG_RUNTIME_DIR": str(runtime)}, system=system)
    assert isinstance(found, Systemd)
    assert found.installed() == []


def test_a_manager_that_has_gone_is_none(users: UserFolders, system: Path, runtime: Path) -> None:
    (runtime / "systemd/private").unlink()
    assert "no systemd user manager runs" in why(users, system, XDG_RUNTIME_DIR=str(runtime))


def test_without_a_session_there_is_no_manager(users: UserFolders, system: Path) -> None:
    if Path(f"/run/user/{os.geteuid()}").exists():
        pytest.skip("whoever runs this has a session")
    assert "no login session" in why(users, system)
    assert "somebody else's (/root-of-all/evil)" in why(users, system, XDG_RUNTIME_DIR="/root-of-all/evil")


@pytest.mark.parametrize(
    ("file", "content", "environment", "said"),
    [
        (".dockerenv", "", {}, "container"),
        ("run/.containerenv", "", {}, "container"),
        ("proc/1/comm", "init\n", {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "container"),
        ("proc/sys/kernel/osrelease", "5.15.0-microsoft-standard-WSL2\n", {}, "WSL runs without systemd"),
        ("proc/1/comm", "init\n", {"CI": "true"}, "CI job"),
        ("proc/1/comm", "runit\n", {}, "the first process is runit"),
        ("empty", "", {}, "systemd does not run here"),
    ],
)
def test_why_there_is_no_systemd(
    users: UserFolders, tmp_path: Path, file: str, content: str, environment: dict[str, str], said: str
) -> None:
    machine = tmp_path / "other"
    (machine / file).parent.mkdir(parents=True)
    (machine / file).write_text(content)
    assert said in why(users, machine, **environment)
