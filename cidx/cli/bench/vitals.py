"""What the system tells of another process: its private memory and its CPU time."""

import os
import subprocess
from pathlib import Path

from cidx.daemon import process


def private_bytes(pid: int) -> int:
    """What the process holds for itself alone; 0 once it is gone."""
    try:
        return process.private_bytes(pid)
    except (OSError, ValueError):
        return 0


def cpu_s(pid: int) -> float:
    """All that the process has used; 0 once it is gone."""
    try:
        # The name, in brackets, may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return seconds(_time_as_ps_says(pid))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def seconds(time: str) -> float:
    """Of `[[days-]hours:]minutes:seconds`, as ps writes them."""
    days, _, rest = time.rpartition("-")
    found = 0.0
    for part in rest.split(":"):
        found = found * 60 + float(part or 0)
    return found + int(days or 0) * 86_400


def _time_as_ps_says(pid: int) -> str:
    command = ["ps", "-o", "time=", "-p", str(pid)]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
