"""Daemons that leave while they are asked: idle, told to, or killed; every call is answered by one.

    python tests/faults/idle.py --calls 2000 --exits 300 --seed 1

This process is the supervisor: it holds the listening socket, and starts a daemon whenever somebody knocks and
none is there. The installed client asks, with pauses about as long as the daemon's patience (`idle`), or while
daemons get SIGTERM (`term`) or SIGKILL (`kill`) at random moments, starting included, but on average only after twice
the time that a start takes here: more often nobody could answer. An answer that did not come from a daemon is lost,
although the user would have got one from the client itself. Linux only (descriptor 3 as systemd has it).
"""

import argparse
import os
import random
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.client.kit import CHECKOUT, Ended, Installed, install
from tests.kit import Tree

DESCRIPTOR = 3
# 0.6 s, the least there is, looked at ten times a second.
SETTINGS = {
    "CIDX_DAEMON_TTL_MINUTES": "0.01",
    "CIDX_DAEMON_EVICTION_CHECK_INTERVAL_SECONDS": "0.1",
}
TTL_S = 0.6
MODES = {"idle": None, "term": signal.SIGTERM, "kill": signal.SIGKILL}
# So often a call comes about when the daemon leaves.
PAUSES = 0.2


class Supervisor:
    """Starts a daemon when the socket becomes readable and none is running, as systemd does."""

    def __init__(self, cidx: Installed) -> None:
        self._cidx = cidx
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(cidx.socket()))
        listener.listen(128)
        # Which may be that number already.
        os.dup2(listener.detach(), DESCRIPTOR)
        self._thread = threading.Thread(target=self._supervise)
        self._thread.start()

    def _supervise(self) -> None:
        listener = socket.socket(fileno=os.dup(DESCRIPTOR))
        while not self._stopping.is_set():
            if not select.select([listener], [], [], 0.1)[0]:
                continue
            self.starts += 1
            with self._start() as process:
                self._process = process
                process.wait()
        listener.close()

    def _start(self) -> "subprocess.Popen[bytes]":
        """The shell is replaced by the daemon, so its pid is the daemon's."""
        shell = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
        return subprocess.Popen(
            ["/bin/sh", "-c", shell, "sh", sys.executable, "-m", "cidx", "daemon", "serve"],
            cwd=self._cidx.tree.root,
            env=self._cidx.environment(PYTHONPATH=str(CHECKOUT), **SETTINGS),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(DESCRIPTOR,),
        )

    def send(self, number: signal.Signals) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(number)

    def stop(self) -> None:
        self._stopping.set()
        while self._thread.is_alive():
            self.send(signal.SIGKILL)
            self._thread.join(0.1)


def hammer(
    cidx: Installed, supervisor: Supervisor, *, mode: str, calls: int, exits: int, dice: random.Random
) -> tuple[int, list[Ended]]:
    """How many calls it took, and the answers that no daemon gave."""
    made, first = 0, supervisor.starts
    done = threading.Event()
    number = MODES[mode]
    began = time.monotonic()
    cidx("query", "-q", "needle")
    longest_s = 4 * (time.monotonic() - began)
    killer = threading.Thread(
        target=_kill, args=(supervisor, number, done, random.Random(dice.random()), longest_s)
    )
    if number is not None:
        killer.start()
    lost = []
    try:
        while made < calls or supervisor.starts - first <= exits:
            made += 1
            if mode == "idle" and dice.random() < PAUSES:
                time.sleep(dice.uniform(TTL_S - 0.05, TTL_S + 0.25))
            ended = cidx("query", "-q", "needle")
            if ended.code != 0 or ended.err or not ended.out.startswith(b"a.py:"):
                lost.append(ended)
    finally:
        done.set()
        if number is not None:
            killer.join()
    return made, lost


def _kill(
    supervisor: Supervisor,
    number: signal.Signals,
    done: threading.Event,
    dice: random.Random,
    longest_s: float,
) -> None:
    while not done.wait(dice.uniform(0.0, longest_s)):
        supervisor.send(number)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=2000, help="at least, in each mode")
    parser.add_argument("--exits", type=int, default=1, help="of daemons, at least, in each mode")
    parser.add_argument("--modes", nargs="+", choices=sorted(MODES), default=list(MODES))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    failures = 0
    with (
        tempfile.TemporaryDirectory(prefix="cidx-idle-") as place,
        tempfile.TemporaryDirectory(prefix="cidx-") as runtime,
    ):
        tree = Tree(Path(place)).write({"a.py": "def needle():\n    return 1\n"}).commit()
        tree.index()
        cidx = Installed(install(Path(place) / "venv"), tree, Path(runtime))
        supervisor = Supervisor(cidx)
        try:
            for mode in options.modes:
                before, started = supervisor.starts, time.monotonic()
                dice = random.Random(options.seed)
                calls, lost = hammer(
                    cidx, supervisor, mode=mode, calls=options.calls, exits=options.exits, dice=dice
                )
                took_s = time.monotonic() - started
                print(
                    f"{mode}: {calls} calls, {supervisor.starts - before} daemons, "
                    f"{took_s:.0f} s, {len(lost)} lost",
                    flush=True,
                )
                for ended in lost[:5]:
                    print(f"  {ended}")
                failures += len(lost)
        finally:
            supervisor.stop()
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
