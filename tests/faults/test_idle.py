"""The hammer on a small scale; `python tests/faults/idle.py --calls 2000 --exits 300` is the full one."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

CALLS = {"idle": 15, "term": 250, "kill": 250}


@pytest.mark.skipif(sys.platform != "linux", reason="descriptor 3 is handed over as systemd does it")
@pytest.mark.parametrize("mode", sorted(CALLS))
def test_no_answer_is_lost_while_daemons_leave(mode: str) -> None:
    """In a process of its own, whose descriptor 3 is the socket."""
    hammer = Path(__file__).with_name("idle.py")
    argv = [sys.executable, str(hammer), "--calls", str(CALLS[mode]), "--modes", mode, "--seed", "1"]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    counted = re.fullmatch(rf"{mode}: (\d+) calls, (\d+) daemons, \d+ s, 0 lost\n", ran.stdout)
    assert counted, ran.stdout
    assert int(counted[1]) >= CALLS[mode]
    assert int(counted[2]) > 1
