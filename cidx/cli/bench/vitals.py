"""What the system tells of another process: its private memory and its CPU time."""

import os
import subprocess
from pathlib import Path


def private_bytes(pid: int) -> int:
    """What the process holds for itself alone; where there is no /proc, all that it holds. 0 once it is gone."""
    try:
        _, resident, shared = map(int, Path(f"/proc/{pid}/statm").read_text().split()[:3])
    except (OSError, ValueError):
        return int(_ps(pid, "rss") or 0) * 1024
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


def cpu_s(pid: int) -> float:
    """All that the process has used; 0 once it is gone."""
    try:
        # The name, in brackets, may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return seconds(_ps(pid, "time"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def seconds(time: str) -> float:
    """Of `[[days-]hours:]minutes:seconds`, as ps writes them."""
    days, _, rest = time.rpartition("-")
    found = 0.0
    for part in rest.split(":"):
        found = found * 60 + float(part or 0)
    return found + int(days or 0) * 86_400


def _ps(pid: int, column: str) -> str:
    command = ["ps", "-o", f"{column}=", "-p", str(pid)]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
