"""Damage on a small scale; `python tests/faults/damage.py --times 500` is the full one."""

import subprocess
import sys
from pathlib import Path


def test_whatever_is_damaged_is_noticed_and_healed() -> None:
    """In a process of its own, for tantivy says on stderr what it trips over."""
    harness = Path(__file__).with_name("damage.py")
    argv = [sys.executable, str(harness), "--times", "25", "--seed", "1"]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "25 damages, 0 not noticed" in ran.stdout
