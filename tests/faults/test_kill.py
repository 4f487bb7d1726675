"""The kill -9 harness on a small scale; `python tests/faults/kill.py --kills 200` is the full one."""

import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 20


@pytest.mark.skipif(sys.platform != "linux", reason="the harness sees changes through inotify and pidfd")
def test_no_kill_leaves_a_mixture() -> None:
    """In a process of its own, because it adopts what the killed leave running."""
    harness = Path(__file__).with_name("kill.py")
    ran = subprocess.run(
        [sys.executable, str(harness), "--kills", str(KILLS), "--seed", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    *_, last = ran.stdout.splitlines()
    assert last.startswith(f"{KILLS} kills: ")
    assert last.endswith(" 0 violations")
