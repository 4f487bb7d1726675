"""The restless tree on a small scale; `python tests/faults/fresh.py --steps 10000` is the full one."""

import re
import subprocess
import sys
from pathlib import Path


def test_what_claims_to_be_fresh_is() -> None:
    restless = Path(__file__).with_name("fresh.py")
    argv = [sys.executable, str(restless), "--steps", "150", "--seed", "2"]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    counted = re.match(r"150 steps, (\d+) answers, (\d+) fresh, \d+ behind, 0 wrong\n", ran.stdout)
    assert counted, ran.stdout
    assert int(counted[2]) > 20
