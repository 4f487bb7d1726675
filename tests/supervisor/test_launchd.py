"""launchd through its contract: property lists that come back as they were, and launchctl's exit codes."""

import os
import plistlib
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from cidx.api.errors import CidxError, Code
from cidx.daemon.activation import LAUNCHD_NAME
from cidx.repository.repository import UserFolders
from cidx.supervisor import plists
from cidx.supervisor.diagnosis import faults
from cidx.supervisor.launchd import Launchd
from cidx.supervisor.service import Daemon, Definition, Socket
from tests.supervisor.kit import Launchctl, definition, pretend_mac

GUI, USER = f"gui/{os.getuid()}", f"user/{os.getuid()}"


class Mac:
    """A home of its own, a launchctl, and one repository."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.root = folder / "repository"
        (self.root / ".git").mkdir(parents=True)
        self.launchctl = Launchctl(folder)
        self.users = UserFolders(home=self.home, config=self.home / "config", cache=self.home / "cache")
        self.launchd = Launchd(users=self.users, environment={"PATH": self.launchctl.path})
        self.label = plists.label(self.wanted().id)

    def wanted(self, **changes: Any) -> Definition:
        found = definition(str(self.root), environment_file=str(self.users.config / "environment"), **changes)
        values = {"socket": str(self.home / f".cidx/run/{found.id}.sock"), "python": sys.executable}
        return definition(found.root, environment_file=found.environment_file, **(values | changes))

    def listen(self) -> None:
        """What launchd does at bootstrap."""
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.wanted().socket)

    @property
    def state(self) -> Any:
        return self.launchd.states(self.launchd.installed())[0]


@pytest.fixture
def mac(short: Path, monkeypatch: pytest.MonkeyPatch) -> Mac:
    pretend_mac(monkeypatch)
    return Mac(short)


def files_below(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


NAMES = [
    "plain", "my rép 100%", 'quo"te', "back\\slash", "a & b < c > d", "new\nline", "tab\t", " lead", "cr\rx",
    "]]>", "@ID@", "$HOME", "party\U0001f389", "separator\u2028", "/".join(["d" * 200] * 15),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_every_path_comes_out_as_it_went_in(name: str) -> None:
    wanted = definition(f"/Users/me/{name}")
    text = plists.text(wanted, log=Path("/log"), environment={"KEY": name}, made=[name])
    found = plists.load(text.encode())
    assert found["ProgramArguments"][1:] == ["-I", "-m", "cidx", "daemon", "serve", "--root", wanted.root]
    assert found["CidxRepository"] == wanted.root
    assert found["EnvironmentVariables"] == {"KEY": name}
    assert found["CidxMade"] == [name]


@pytest.mark.parametrize("name", ["caf\udce9", "\x01", "\uffff"], ids=ascii)
def test_what_a_property_list_can_not_hold_is_refused(name: str) -> None:
    with pytest.raises(CidxError) as refused:
        plists.text(definition(f"/Users/me/{name}"), log=Path("/log"), environment={})
    assert refused.value.code is Code.UNSUPPORTED_PATH


def test_a_socket_path_that_macos_would_refuse_is_refused_before() -> None:
    with pytest.raises(CidxError, match="socket's path"):
        plists.text(definition("/src", socket="/" + "x" * 103), log=Path("/log"), environment={})


def test_the_agent_is_what_launchd_needs_it_to_be() -> None:
    found = plistlib.loads(plists.text(definition("/src"), log=Path("/log"), environment={}).encode())
    assert list(found["Sockets"]) == [LAUNCHD_NAME]
    assert found["Sockets"][LAUNCHD_NAME] == {
        "SockType": "stream",
        "SockPathName": definition("/src").socket,
        "SockPathMode": 0o600,
    }
    assert found["Umask"] == 0o077
    assert found["RunAtLoad"] is False
    assert not {"KeepAlive", "ProcessType", "WorkingDirectory"} & set(found)


def test_install_and_uninstall_leave_nothing(mac: Mac) -> None:
    (mac.home / "Library").mkdir()
    before = files_below(mac.home)
    assert mac.launchd.install([mac.wanted()]) == [mac.wanted().id]
    assert mac.launchctl.agents == [f"{GUI}/{mac.label}"]
    plist = mac.home / f"Library/LaunchAgents/{mac.label}.plist"
    assert plist.stat().st_mode & 0o777 == 0o600
    mac.listen()
    assert faults(mac.state) == ()
    assert mac.state.socket is Socket.LISTENING
    mac.launchd.uninstall(mac.launchd.installed())
    assert mac.launchctl.agents == []
    assert files_below(mac.home) == before


def test_installing_again_changes_nothing(mac: Mac) -> None:
    mac.launchd.install([mac.wanted()])
    mac.listen()
    count = len(mac.launchctl.calls)
    assert mac.launchd.install([mac.wanted()]) == []
    assert not [call for call in mac.launchctl.calls[count:] if call.split()[0] in ("bootstrap", "bootout")]


def test_a_changed_agent_is_booted_out_and_in_again(mac: Mac) -> None:
    """`bootout` is still at work when it returns, and `bootstrap` refuses until it is done."""
    mac.launchd.install([mac.wanted()])
    assert mac.launchd.install([mac.wanted(python="/bin/sh")]) == [mac.wanted().id]
    assert mac.launchctl.agents == [f"{GUI}/{mac.label}"]
    assert [fault.code for fault in faults(mac.state)] == ["other-environment"]


def test_without_a_graphical_session_it_lives_in_the_users_domain(mac: Mac) -> None:
    mac.launchctl.set("no-gui")
    mac.launchd.install([mac.wanted()])
    assert mac.launchctl.agents == [f"{USER}/{mac.label}"]
    assert mac.state.loaded
    mac.launchd.restart(mac.launchd.installed())
    assert mac.launchctl.agents == [f"{USER}/{mac.label}"]
    mac.launchd.uninstall(mac.launchd.installed())
    assert mac.launchctl.agents == []


def test_a_refused_agent_is_an_error_and_leaves_nothing(mac: Mac) -> None:
    mac.launchctl.set("refuse", "5")
    with pytest.raises(CidxError) as failed:
        mac.launchd.install([mac.wanted()])
    assert failed.value.code is Code.SUPERVISOR_FAILED
    assert "Input/output error (exit 5)" in failed.value.why
    assert mac.launchd.installed() == []


def test_what_is_wrong_is_seen(mac: Mac) -> None:
    mac.launchd.install([mac.wanted()])
    assert [fault.code for fault in faults(mac.state)] == ["socket-missing"]
    mac.listen()
    mac.launchctl.set("disabled", f'"{mac.label}" => disabled')
    assert [fault.code for fault in faults(mac.state)] == ["not-enabled"]
    mac.launchd.install([mac.wanted()])
    mac.launchctl.set("pid", "4711")
    assert (mac.state.daemon, mac.state.pid) == (Daemon.RUNNING, 4711)
    for agent in (mac.home.parent / "launchd").glob("*,*,*"):
        agent.unlink()
    assert [fault.code for fault in faults(mac.state)] == ["not-loaded"]
    (mac.home / f"Library/LaunchAgents/{mac.label}.plist").write_text("no plist")
    assert [fault.code for fault in faults(mac.state)] == ["orphan"]


def test_variables_come_from_the_environment_file(mac: Mac) -> None:
    mac.users.config.mkdir()
    (mac.users.config / "environment").write_text("# mine\nTOKEN='a b'\nOTHER=1\n\nno line\n")
    mac.launchd.install([mac.wanted()])
    found = plistlib.loads((mac.home / f"Library/LaunchAgents/{mac.label}.plist").read_bytes())
    assert found["EnvironmentVariables"] == {"TOKEN": "a b", "OTHER": "1"}
    assert mac.launchd.environment() == {"PATH": "/usr/bin:/bin"}


def test_the_log_is_a_file(mac: Mac) -> None:
    mac.launchd.install([mac.wanted()])
    (service,) = mac.launchd.installed()
    *command, log = mac.launchd.log_command(service, lines=5, since="", follow=True)
    assert command == ["tail", "-n", "5", "-F"]
    assert Path(log).read_text() == ""
    with pytest.raises(CidxError, match="--since"):
        mac.launchd.log_command(service, lines=5, since="today", follow=False)
