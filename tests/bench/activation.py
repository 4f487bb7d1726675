"""What socket activation costs: the first answer from a sleeping service, beside a daemon started by hand.

    sudo .venv/bin/python tests/bench/activation.py [--runs 15] [--files 200]

On a machine of its own with a real systemd (tests/e2e/machine.py), as a user on it. Both ways end with the answer to
the same query, on a connection that was made while no daemon ran:

    service     the socket is systemd's; connecting makes it start the unit, with all its protections
    foreground  `cidx daemon serve` is started by this program, which connects as soon as there is a socket

The ways take turns, so that a noisy computer is noisy for both, and each pair is compared: exits with 1 when the median
of the differences is more than 30 ms.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.e2e.kit import Repository
from tests.e2e.machine import CHECKOUT, Machine, User, build_wheel, install, why_impossible

BAR_MS = 30.0

# Runs on the machine, as the user, with the python of the installed cidx.
PROGRAM = """\
import json, os, subprocess, sys, time
from cidx.client import address, replies, wire

root, path, socket, service, runs = sys.argv[1:]
command = ((b"query", b"--json", b"needle"), os.fsencode(root), (80, False, False), (), b"", "bench")

def systemctl(*words):
    subprocess.run(["systemctl", "--user", "--quiet", *words], check=True)

def ask():
    while True:
        try:
            asked = wire.ask(path, "run", command)
            break
        except (FileNotFoundError, ConnectionRefusedError):
            time.sleep(0.0002)
    answer = replies.usual(replies.Replies(asked), address.repository_id(root))
    asked.close()
    assert answer is not None, "no answer in time, or an unusual one: cidx service logs"
    code, out, _ = answer
    assert code == 0 and json.loads(out)["served_by"] == "daemon"

def by_systemd():
    systemctl("stop", service)
    began = time.monotonic()
    ask()
    return time.monotonic() - began

def by_hand():
    systemctl("stop", socket, service)
    serve = [sys.executable, "-I", "-m", "cidx", "-C", root, "daemon", "serve"]
    began = time.monotonic()
    with subprocess.Popen(serve, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
        ask()
        took = time.monotonic() - began
        daemon.terminate()
    systemctl("start", socket)
    return took

# What is read for the first time, by either way, is not what is compared.
by_systemd(), by_hand()
print(json.dumps([(by_systemd(), by_hand()) for _ in range(int(runs))]))
"""


def measure(user: User, *, runs: int, files: int) -> list[tuple[float, float]]:
    """Seconds of both ways, in turns."""
    repository = Repository(
        user, "measured", {f"pkg/m{n}.py": f"def needle_{n}():\n    return {n}\n" for n in range(files)}
    )
    repository.done("index")
    repository.install()
    # Starts follow each other faster than a user's ever would.
    for unit in repository.units:
        repository.override("Unit", "StartLimitIntervalSec=0", unit=unit)
    program = f"{user.home}/bench.py"
    user.write(program, PROGRAM)
    python = f"{user.home}/.local/share/cidx/venv/bin/python"
    said = user.done(python, program, repository.root, repository.socket, *repository.units, str(runs))
    return [(by_systemd, by_hand) for by_systemd, by_hand in json.loads(said)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--files", type=int, default=200, help="in the repository that is asked")
    options = parser.parse_args()
    why = why_impossible()
    if why is not None:
        sys.exit(f"no systemd can be booted: {why}")
    with tempfile.TemporaryDirectory(prefix="cidx-bench-") as place:
        machine = Machine(Path(place) / "machine")
        machine.add_user("dev")
        try:
            machine.boot()
            machine.wait_until_running()
            user = machine.users["dev"]
            install(build_wheel(Path(place) / "wheel", CHECKOUT), user)
            user.wait_for_manager()
            seconds = measure(user, runs=options.runs, files=options.files)
        finally:
            machine.shut_down()
    service, foreground = (sorted(1000 * way for way in ways) for ways in zip(*seconds, strict=True))
    for name, ways in (("service", service), ("foreground", foreground)):
        print(f"{name:<10}  median {statistics.median(ways):6.1f} ms  ({ways[0]:.1f} to {ways[-1]:.1f})")
    more = statistics.median(1000 * (by_systemd - by_hand) for by_systemd, by_hand in seconds)
    ratio = statistics.median(service) / statistics.median(foreground)
    print(
        f"activation  {more:+.1f} ms, {ratio:.2f}x; bar {BAR_MS:.0f} ms: {'ok' if more <= BAR_MS else 'missed'}"
    )
    return int(more > BAR_MS)


if __name__ == "__main__":
    sys.exit(main())
