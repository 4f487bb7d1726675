"""Services as values, and a launchctl to talk to where there is no Mac."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cidx.client import address
from cidx.supervisor.service import UNIT_VERSION, Daemon, Definition, Installed, Place, Socket, State


def definition(root: str, **changes: Any) -> Definition:
    values: dict[str, Any] = {
        "id": address.repository_id(root),
        "root": root,
        "socket": f"/run/user/1000/cidx/{address.repository_id(root)}.sock",
        "python": "/opt/cidx venv/bin/python",
        "environment_file": "/home/me/.config/cidx/environment",
        "memory_limit_mb": 2048,
        **changes,
    }
    return Definition(**values)


def installed(**changes: Any) -> Installed:
    good = Installed(
        id="0123456789abcdef", root="/src/project", version=UNIT_VERSION, python="/bin/python", files=()
    )
    return replace(good, **changes)


def state(**changes: Any) -> State:
    """A service in best health, but for the changes."""
    good = State(
        installed=installed(),
        place=Place.REPOSITORY,
        python_exists=True,
        python_is_ours=True,
        loaded=True,
        enabled=True,
        needs_reload=False,
        socket=Socket.LISTENING,
        socket_path="/run/user/1000/cidx/0123456789abcdef.sock",
        socket_exists=True,
        socket_result="success",
        daemon=Daemon.IDLE,
        daemon_result="success",
        starting_s=0,
        pid=0,
        memory_bytes=0,
        restarts=0,
        last_exit="",
        says="",
    )
    return replace(good, **changes)


def pretend_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the two modules that decide by the platform, and for nobody else's imports."""
    mac = SimpleNamespace(**{**vars(sys), "platform": "darwin"})
    monkeypatch.setattr("cidx.client.address.sys", mac)
    monkeypatch.setattr("cidx.supervisor.detection.sys", mac)


# Keeps what launchd would keep in a folder: an agent is a file with its domain in its name, `leaving` counts the
# calls for which an agent is still there after its bootout, and every call is written down.
_LAUNCHCTL = """#!{python} -I
import os, pathlib, plistlib, sys

state = pathlib.Path({state!r})
verb, *rest = sys.argv[1:]
with open(state / "calls", "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")


def end(code, text=""):
    print(text, file=sys.stderr if code else sys.stdout)
    sys.exit(code)


def known(target):
    return state / target.replace("/", ",")


def is_leaving(agent):
    left = int(agent.read_text() or 0) if agent.exists() else 0
    if left == 1:
        agent.unlink()
    elif left:
        agent.write_text(str(left - 1))
    return left > 0


if verb in ("bootstrap", "print", "bootout") and rest[0].startswith("gui/") and (state / "no-gui").exists():
    end(125, "Domain does not support specified action")
if verb == "bootstrap":
    content = plistlib.loads(pathlib.Path(rest[1]).read_bytes())
    agent = known(rest[0] + "/" + content["Label"])
    if (state / "refuse").exists():
        end(int((state / "refuse").read_text()), "Bootstrap failed: 5: Input/output error")
    if is_leaving(agent):
        end(37, "Bootstrap failed: 37: Operation already in progress")
    if agent.exists():
        end(5, "Bootstrap failed: 5: Input/output error")
    agent.write_text("")
elif verb == "bootout":
    agent = known(rest[0])
    if not agent.exists():
        end(3, "Boot-out failed: 3: No such process")
    agent.write_text("2")
    end(36, "Boot-out failed: 36: Operation now in progress")
elif verb == "print":
    agent = known(rest[0])
    if rest[0].count("/") == 1:
        end(0, "gui = {{\\n\\tenvironment = {{\\n\\t\\tPATH => /usr/bin:/bin\\n\\t}}\\n}}")
    if not agent.exists():
        end(113, "Could not find service in domain")
    is_leaving(agent)
    running = (state / "pid").read_text() if (state / "pid").exists() else ""
    end(0, "agent = {{\\n\\tstate = " + ("running\\n\\tpid = " + running if running else "not running")
        + "\\n\\tlast exit code = (never exited)\\n\\tsockets = {{\\n\\t\\tpid = 99\\n\\t}}\\n}}")
elif verb == "print-disabled":
    end(0, (state / "disabled").read_text() if (state / "disabled").exists() else "")
elif verb == "enable":
    (state / "disabled").unlink(missing_ok=True)
"""


class Launchctl:
    """A program of this name on a PATH of its own, with launchd's exit codes."""

    def __init__(self, folder: Path) -> None:
        self._state = folder / "launchd"
        self._state.mkdir()
        program = folder / "bin/launchctl"
        program.parent.mkdir()
        program.write_text(_LAUNCHCTL.format(python=sys.executable, state=str(self._state)))
        program.chmod(0o755)
        self.path = f"{program.parent}:{os.environ['PATH']}"

    def set(self, name: str, value: str = "") -> None:
        (self._state / name).write_text(value)

    @property
    def agents(self) -> list[str]:
        return sorted(path.name.replace(",", "/") for path in self._state.glob("*,*,*"))

    @property
    def calls(self) -> list[str]:
        return (self._state / "calls").read_text().splitlines()
