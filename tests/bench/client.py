"""What a warm query costs beside an empty Python: whole processes, side by side, in one run.

    python tests/bench/client.py [--runs 150] [--imports]

Builds the wheel, installs it into an environment of its own, and asks that environment's daemon of a repository (this
checkout's sources) for 10 hits. Each start is paired with `python -c pass` of the same environment right before it,
and the ratios of the pairs are compared, so that a noisy machine is noisy for both. Exits with 1 when a bar is
missed. `--imports` adds what the client does without.
"""

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]
QUERY = ["query", "where is the socket handed over"]
HITS = re.compile(rb"^\S+:\d+-\d+ ", re.MULTILINE)
# Modules that programs like this one usually import, and what the client has instead of some of them.
IMPORTS = ["posix", "_socket", "_sha256", "os", "struct", "hashlib", "socket", "json", "argparse", "rpyc"]


@dataclass(frozen=True, slots=True)
class Way:
    """A way to start the client."""

    name: str
    command: list[str]
    bar: float | None = None
    # Whether the launcher finds the environment where install.sh puts it, and need not read a link.
    usual: bool = True


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one process."""

    wall_s: float
    cpu_s: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=150)
    parser.add_argument("--imports", action="store_true", help="also what single imports cost")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cidx-bench-") as folder:
        place = Path(folder).resolve()
        command = installed(place)
        with warm_daemon(place, command):
            missed = [way.name for way in measure(place, ways(place, command), runs=options.runs)]
            daemon = status(place, command)
        latency = daemon["latency_ms"]["run"]
        print(
            f"  in the daemon, of {daemon['queries']} queries: p50 {latency['p50']}, p99 {latency['p99']} ms"
        )
        print("without a daemon")
        measure(place, ways_here(command), runs=max(options.runs // 5, 5), check=False)
        if options.imports:
            print("python -I -S -c 'import …', ending by _exit")
            measure(place, ways_to_import(command), runs=max(options.runs // 3, 5), check=False)
    print(f"missed: {', '.join(missed)}" if missed else "every bar is met")
    return 1 if missed else 0


def ways(place: Path, command: Path) -> list[Way]:
    """From the bare interpreter's start to the longest way round."""
    light = re.search(r"light='(.*?)'\n\n", command.read_text(), re.DOTALL)
    assert light is not None
    python = [str(command.parent / "python"), "-I", "-S", "-c"]
    link = place / "bin/cidx"
    link.parent.mkdir()
    link.symlink_to(command)
    return [
        Way("an interpreter that ends at once", [*python, "import posix; posix._exit(0)"]),
        Way("the client, without a launcher", [*python, light[1], str(command.parents[1]), *QUERY]),
        Way("through the launcher", [str(command), *QUERY], bar=1.0),
        Way("through the link that install.sh makes", [str(link), *QUERY], bar=1.15),
        Way("through a link of somebody else's", [str(link), *QUERY], bar=1.15, usual=False),
    ]


def ways_here(command: Path) -> list[Way]:
    """What it costs to have been the client first, where the command runs in this process after all."""
    python = str(command.parent / "python")
    again = (
        "import sys; sys.path.append(sys.argv[1]); import cidx.client.main, os;"
        "os.execv(sys.executable, [sys.executable, '-I', '-m', 'cidx', '--version'])"
    )
    packages = str(next(command.parents[1].glob("lib/python*/site-packages")))
    return [
        Way("python -I -m cidx --version", [python, "-I", "-m", "cidx", "--version"]),
        Way("cidx --version", [str(command), "--version"]),
        Way("the same by starting Python again", [python, "-I", "-S", "-c", again, packages]),
    ]


def ways_to_import(command: Path) -> list[Way]:
    python = [str(command.parent / "python"), "-I", "-S", "-c"]
    # rpyc is not in this environment: the client does without it.
    path = f"import sys; sys.path += {[entry for entry in sys.path if 'site-packages' in entry]!r}; "
    found = [name for name in IMPORTS if name != "_sha256" or sys.version_info < (3, 12)]
    return [Way(name, [*python, f"{path}import {name}, posix; posix._exit(0)"]) for name in found]


def measure(place: Path, compared: list[Way], *, runs: int, check: bool = True) -> list[Way]:
    """Print the table; the ways that miss their bar."""
    bare = [str(place / "data/cidx/venv/bin/python"), "-c", "pass"]
    ratios: dict[str, list[Cost]] = {way.name: [] for way in compared}
    bare_s = []
    for run in range(-2, runs):  # the first ones fill caches, of which nobody pays twice
        # In changing order: who comes first finds the server in a deeper sleep.
        for way in random.sample(compared, len(compared)):
            base = started(bare, environment(place))
            cost = started(way.command, environment(place, usual=way.usual))
            if run >= 0:
                bare_s.append(base.wall_s)
                ratios[way.name].append(Cost(cost.wall_s / base.wall_s, cost.cpu_s / base.cpu_s))
    print(
        f"{f'x python -c pass ({statistics.median(bare_s) * 1000:.1f} ms)':<44}{'wall':>8}{'CPU':>8}{'bar':>8}"
    )
    missed = []
    for way in compared:
        wall = statistics.median(cost.wall_s for cost in ratios[way.name])
        cpu = statistics.median(cost.cpu_s for cost in ratios[way.name])
        met = way.bar is None or wall <= way.bar
        verdict = "" if way.bar is None else f"{way.bar:>8.2f}  {'met' if met else 'missed'}"
        print(f"  {way.name:<42}{wall:>8.2f}{cpu:>8.2f}{verdict}")
        if check and not met:
            missed.append(way)
    return missed


def started(command: list[str], environment: dict[str, str]) -> Cost:
    """A process, from before its start to after its end."""
    said = Path(environment["HOME"], "out")
    out = (os.POSIX_SPAWN_OPEN, 1, str(said), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    began = time.perf_counter()
    pid = os.posix_spawn(command[0], command, environment, file_actions=[out])
    _, status, used = os.wait4(pid, 0)
    wall_s = time.perf_counter() - began
    if status:
        raise SystemExit(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    if QUERY[0] in command and len(HITS.findall(said.read_bytes())) != 10:
        raise SystemExit(f"{command} did not find ten places, but\n{said.read_text()}")
    return Cost(wall_s, used.ru_utime + used.ru_stime)


def environment(place: Path, *, usual: bool = True) -> dict[str, str]:
    return {
        "HOME": str(place / "home"),
        "PATH": os.environ["PATH"],
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "XDG_DATA_HOME": str(place / "data") if usual else "",
        "XDG_RUNTIME_DIR": str(place / "run"),
        "CIDX_STANDALONE": "",
        # Nobody reads the daemon's records: a pipe full of them would stop it.
        "CIDX_LOG": "warning",
    }


def installed(place: Path) -> Path:
    """The command, as pip installs it."""
    home = place / "data/cidx/venv"
    venv.create(home, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", place / "wheel", CHECKOUT], check=True)
    # The light side has no dependencies; the command line's are taken from where this runs.
    wheel = next((place / "wheel").glob("*.whl"))
    subprocess.run([*pip, "--python", home / "bin/python", "install", "--no-deps", wheel], check=True)
    packages = next(home.glob("lib/python*/site-packages"))
    (packages / "dependencies.pth").write_text(
        "\n".join(entry for entry in sys.path if "site-packages" in entry)
    )
    return home / "bin/cidx"


@contextmanager
def warm_daemon(place: Path, command: Path) -> Iterator[None]:
    """A daemon for the repository that this process then works in."""
    root = place / "repository"
    for folder in (place / "home", place / "run"):
        folder.mkdir(mode=0o700)
    shutil.copytree(CHECKOUT / "cidx", root, ignore=shutil.ignore_patterns("__pycache__"))
    found = environment(place)
    subprocess.run(["git", "init", "--quiet", root], env=found, check=True)
    subprocess.run([command, "index"], cwd=root, env=found, check=True, capture_output=True)
    server = subprocess.Popen([command, "daemon", "serve"], cwd=root, env=found, stderr=subprocess.PIPE)
    assert server.stderr is not None
    server.stderr.readline()
    before = Path.cwd()
    os.chdir(root)
    try:
        yield
    finally:
        os.chdir(before)
        server.terminate()
        server.communicate()


def status(place: Path, command: Path) -> dict[str, Any]:
    """What the daemon says of itself; it has to have answered."""
    ran = subprocess.run(
        [command, "status", "--json"], env=environment(place), check=True, capture_output=True
    )
    daemon: dict[str, Any] | None = json.loads(ran.stdout)["daemon"]
    if daemon is None or not daemon["queries"]:
        raise SystemExit("the daemon has answered nothing")
    return daemon


if __name__ == "__main__":
    sys.exit(main())
