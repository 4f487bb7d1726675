"""From a state to what is wrong, and what mends it."""

import re
from pathlib import Path
from typing import Any

import pytest

from cidx.supervisor import diagnosis
from cidx.supervisor.diagnosis import Mending, faults
from cidx.supervisor.service import UNIT_VERSION, Daemon, Place, Socket
from tests.supervisor.kit import installed, state


@pytest.mark.parametrize("daemon", [Daemon.IDLE, Daemon.RUNNING, Daemon.STARTING])
def test_a_healthy_service_has_no_fault(daemon: Daemon) -> None:
    assert faults(state(daemon=daemon)) == ()


CASES: list[tuple[dict[str, Any], str, Mending]] = [
    ({"place": Place.MISSING}, "orphan", Mending.REMOVE),
    ({"place": Place.NO_REPOSITORY}, "orphan", Mending.REMOVE),
    ({"installed": installed(version=UNIT_VERSION - 1)}, "stale-units", Mending.REWRITE),
    ({"installed": installed(version=UNIT_VERSION + 1)}, "newer-units", Mending.NONE),
    ({"installed": installed(complete=False)}, "incomplete", Mending.REWRITE),
    ({"python_exists": False}, "interpreter-gone", Mending.REWRITE),
    ({"python_is_ours": False}, "other-environment", Mending.REWRITE),
    ({"loaded": False}, "not-loaded", Mending.REWRITE),
    ({"needs_reload": True}, "needs-reload", Mending.RELOAD),
    ({"enabled": False}, "not-enabled", Mending.ENABLE),
    ({"socket": Socket.STOPPED, "socket_exists": False}, "stopped", Mending.RESTART),
    ({"socket_exists": False}, "socket-missing", Mending.RESTART),
    ({"socket": Socket.FAILED, "socket_result": "service-start-limit-hit"}, "failed", Mending.RESTART),
    ({"daemon": Daemon.FAILED, "daemon_result": "oom-kill"}, "failed", Mending.REWRITE),
    ({"daemon": Daemon.STARTING, "starting_s": 9.0}, "never-ready", Mending.RESTART),
]


@pytest.mark.parametrize(("changes", "code", "mending"), CASES, ids=str)
def test_each_fault_is_named_and_has_its_mending(
    changes: dict[str, Any], code: str, mending: Mending
) -> None:
    (fault,) = faults(state(**changes))
    assert (fault.code, fault.mending) == (code, mending)
    assert fault.what
    assert fault.why
    assert "cidx" in fault.next_step


def test_the_most_fundamental_fault_comes_first() -> None:
    orphan = faults(state(place=Place.MISSING, python_exists=False, socket=Socket.FAILED))
    assert [fault.code for fault in orphan] == ["orphan"]
    rewritten = faults(state(python_exists=False, enabled=False, socket=Socket.FAILED))
    assert [fault.code for fault in rewritten] == ["interpreter-gone"]
    several = faults(state(needs_reload=True, enabled=False, socket=Socket.STOPPED))
    assert [fault.code for fault in several] == ["needs-reload", "not-enabled", "stopped"]


def test_a_crash_loop_says_how_the_daemon_ended() -> None:
    (fault,) = faults(
        state(
            socket=Socket.FAILED,
            daemon=Daemon.FAILED,
            socket_result="service-start-limit-hit",
            last_exit="exit code 70, Sat 2026-11-21 02:11:15 UTC",
        )
    )
    assert "again and again" in fault.why
    assert "exit code 70" in fault.why


def test_the_state_in_one_word() -> None:
    assert state().word == "listening"
    assert state(daemon=Daemon.RUNNING).word == "running"
    assert state(socket=Socket.STOPPED).word == "stopped"
    assert state(daemon=Daemon.RUNNING, socket=Socket.FAILED).word == "failed"


@pytest.mark.parametrize("code", sorted({code for _, code, _ in CASES}))
def test_every_fault_is_documented(code: str) -> None:
    assert f"`{code}`" in (Path(__file__).parents[2] / "docs/service.md").read_text()


def test_every_fault_is_a_case_here() -> None:
    source = Path(diagnosis.__file__).read_text()
    assert set(re.findall(r'code="([a-z-]+)"', source)) == {code for _, code, _ in CASES}
