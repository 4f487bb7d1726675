"""What can happen to a living daemon, done to it for real. Afterwards the next question is answered, the index is
whole, nothing is held that was not before, and the log has few words about it."""

import contextlib
import errno
import json
import os
import random
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rpyc
from rpyc.utils.factory import unix_connect

from tests.daemon.kit import Daemon, serving
from tests.faults.refusals import compile_library
from tests.kit import Ran, Tree

PATIENCE_S = 30.0
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, preloads and sets limits as Linux does"),
    pytest.mark.timeout(180),
]
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
MB = 2**20
FILES = {f"part{n % 5}/file{n}.py": f"def needle_{n}(value):\n    return value + {n}\n" for n in range(60)}


@pytest.fixture
def indexed(tree: Tree) -> Tree:
    tree.write(FILES).commit()
    tree.index()
    return tree


def status(daemon: Daemon) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(daemon.ask("get_status"))
    return found


def footprint(daemon: Daemon) -> tuple[int, int]:
    """Threads and descriptors."""
    found = status(daemon)
    return found["threads"], found["descriptors"]


def until(condition: Callable[[], Any], what: object = "it never came", *, every_s: float = 0.02) -> Any:
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end, what
        time.sleep(every_s)
    return found


def answers(daemon: Daemon, number: int = 7) -> bool:
    try:
        ran = daemon.run("query", "--json", f"needle_{number}")
    except Exception as error:
        # It has not heard yet that others have gone.
        assert "too many connections" in str(error)  # noqa: PT017
        return False
    return ran.code == 0 and ran.json["hits"][0]["path"] == f"part{number % 5}/file{number}.py"


def client(tree: Tree, daemon: Daemon, number: int = 7) -> Ran:
    """The command, as people run it."""
    return tree.client("query", "-q", f"needle_{number}", XDG_RUNTIME_DIR=daemon.runtime)


@contextlib.contextmanager
def unharmed(daemon: Daemon) -> Iterator[None]:
    """Whatever happens within, the daemon is as before it."""
    assert answers(daemon)
    until(lambda: status(daemon)["cache"]["watched_folders"])
    threads, descriptors = footprint(daemon)
    # SQLite keeps that of a connection that ended while another read, and gives it to the next.
    most_after = threads, descriptors + 1
    yield
    until(lambda: answers(daemon), "it does not answer")
    seen = []

    def is_as_before() -> bool:
        seen.append(footprint(daemon))
        return all(now <= most for now, most in zip(seen[-1], most_after, strict=True))

    # Asked seldom: it looks for garbage once nobody has asked for a second.
    until(is_as_before, (most_after, seen), every_s=1.2)
    assert daemon.process.poll() is None


# Ends


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_daemon_that_dies_at_any_moment_costs_no_answer(indexed: Tree, number: signal.Signals) -> None:
    """Also where no supervisor replaces it: clients answer in their own process."""
    dice = random.Random(1)
    with contextlib.ExitStack() as stack:
        daemon = stack.enter_context(serving(indexed))
        runtime = Path(daemon.runtime)
        wrong: list[Ran] = []
        stopped = threading.Event()

        def ask() -> None:
            while not stopped.is_set():
                at = dice.randrange(60)
                ran = client(indexed, daemon, at)
                if ran.code != 0 or f"file{at}.py" not in ran.out or "Traceback" in ran.err:
                    wrong.append(ran)

        askers = [threading.Thread(target=ask) for _ in range(2)]
        for asker in askers:
            asker.start()
        for _ in range(4):
            time.sleep(dice.uniform(0.1, 0.8))
            daemon.process.send_signal(number)
            daemon.process.wait()
            assert daemon.process.returncode == -number
            daemon = stack.enter_context(serving(indexed, XDG_RUNTIME_DIR=str(runtime)))
        stopped.set()
        for asker in askers:
            asker.join()
        assert not wrong
        assert answers(daemon)


def test_a_suspended_daemon_answers_when_it_wakes(indexed: Tree) -> None:
    with serving(indexed) as daemon, unharmed(daemon):
        daemon.process.send_signal(signal.SIGSTOP)
        asking = indexed.start_client("query", "-q", "needle_9", XDG_RUNTIME_DIR=daemon.runtime)
        time.sleep(1.5)
        daemon.process.send_signal(signal.SIGCONT)
        out, err = asking.communicate(timeout=PATIENCE_S)
        assert (asking.returncode, "file9.py" in out, err) == (0, True, "")


# Bugs

PLANTED = {
    "search/retrieve.py": """
_retrieve = retrieve
def retrieve(snapshot, query, **rest):
    if query.text == "explode":
        raise ZeroDivisionError("planted")
    return _retrieve(snapshot, query, **rest)
""",
    "index/reader.py": """
_prepare = Reader.prepare
def prepare(self, batch, **rest):
    if any(task.entry.path == b"explode.py" for task in batch):
        raise ZeroDivisionError("planted")
    return _prepare(self, batch, **rest)
Reader.prepare = prepare
""",
}


def test_a_bug_costs_one_answer_and_one_job(indexed: Tree, tmp_path: Path) -> None:
    """Of a copy of the package that fails at one question and at one file."""
    package = tmp_path / "code" / "cidx"
    shutil.copytree(Path(__file__).parents[2] / "cidx", package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, lines in PLANTED.items():
        with (package / name).open("a") as stream:
            stream.write(lines)
    with serving(indexed, PYTHONPATH=str(package.parent)) as daemon, unharmed(daemon):
        ran = indexed.client("query", "explode", XDG_RUNTIME_DIR=daemon.runtime)
        assert (ran.code, "[bug]" in ran.err, "Traceback" in ran.err) == (70, True, False)
        indexed.write({"explode.py": "def exploded(): ...\n"})
        found = daemon.run("query", "--json", "needle_7")
        assert (found.code, found.json["fresh"], found.json["changed_files"]) == (0, False, 1)
        until(lambda: status(daemon)["events"]["jobs_failed"] == 1 and answers(daemon))
        (reason,) = json.loads(daemon.ask("health"))["reasons"]
        assert reason.startswith("the last index job failed: ")
        (indexed.root / "explode.py").rename(indexed.root / "defused.py")
        until(lambda: daemon.run("query", "--json", "needle_7").json["fresh"])
        assert daemon.run("query", "-q", "exploded").out.startswith("defused.py:")
    said = [line for line in daemon.records if "planted" in line]
    phrases = ("request failed", "job failed", "changes can't be brought in")
    asked, job, looks = (sum(f"cidx: {phrase}" in line for line in said) for phrase in phrases)
    # Once for each look at the tree: when the file came, and when the job had ended.
    assert (asked, job, 1 <= looks < 5, asked + job + looks) == (1, 1, True, len(said)), said


# Want


def test_few_descriptors_make_few_connections(indexed: Tree) -> None:
    """Whoever is too many is told so and answers for himself; the others' answers miss nothing."""
    shell = ("sh", "-c", 'ulimit -n 60; exec "$0" "$@"', sys.executable)
    with serving(indexed, interpreter=shell) as daemon, unharmed(daemon):
        held = []
        for _ in range(40):
            one = socket.socket(socket.AF_UNIX)
            one.connect(daemon.path)
            held.append(one)
        ran = client(indexed, daemon)
        assert (ran.code, "file7.py" in ran.out) == (0, True), ran.err
        for one in held:
            one.close()
    assert sum("accept failed" in line for line in daemon.records) <= 25


@contextlib.contextmanager
def short_of(daemon: Daemon, room: int) -> Iterator[None]:
    """The daemon may map so many more bytes: no threads, or no memory."""
    pid = daemon.process.pid
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    before = resource.prlimit(pid, resource.RLIMIT_AS, (pages * resource.getpagesize() + room, -1))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_AS, before)


def test_without_room_for_threads_clients_answer_for_themselves(indexed: Tree) -> None:
    with serving(indexed) as daemon, unharmed(daemon), short_of(daemon, 0), contextlib.ExitStack() as held:
        for _ in range(20):
            one = held.enter_context(socket.socket(socket.AF_UNIX))
            one.connect(daemon.path)
        ran = client(indexed, daemon)
        assert (ran.code, "file7.py" in ran.out, "Traceback" in ran.err) == (0, True, False)
    assert any("no thread for a client" in line for line in daemon.records)
    assert len(daemon.records) < 100


def test_a_daemon_without_memory_answers_when_it_has_some(indexed: Tree) -> None:
    """Libraries may end a process that gets no memory; then the next one answers."""
    with serving(indexed) as daemon:
        assert answers(daemon)
        connection = unix_connect(daemon.path)
        with short_of(daemon, 0):
            for number in range(20):
                with contextlib.suppress(Exception):
                    connection.root.query_hybrid(str(indexed.root), f"needle_{number} value return")
        connection.close()
        ran = client(indexed, daemon, 8)
        assert (ran.code, "file8.py" in ran.out) == (0, True)
        died = daemon.process.poll()
        if died is None:
            until(lambda: answers(daemon))
        else:
            assert died < 0
    said = "".join(daemon.records)
    # Whichever thread of whoever's it meets may say so; nothing else goes wrong for that.
    assert said.count("Traceback") <= said.count("MemoryError")


# Clients


def test_a_client_that_reads_nothing_holds_up_nobody(indexed: Tree) -> None:
    indexed.write({"large.py": "".join(f"def large_{n}():\n    return '{'x' * 300}'\n" for n in range(3000))})
    indexed.index()
    with serving(indexed) as daemon, unharmed(daemon):
        connection = unix_connect(daemon.path)
        ask = rpyc.async_(connection.root.query_hybrid)
        for _ in range(30):
            ask(str(indexed.root), "large value return", limit=0)
        assert answers(daemon)
        # Nobody has waited for it to be given up: it is there still, beside who asks that.
        until(lambda: status(daemon)["connections"] == 2)
        connection.close()


def test_stopped_clients_hold_up_nobody(indexed: Tree) -> None:
    with serving(indexed) as daemon, unharmed(daemon):
        asking = [
            indexed.start_client("query", "-q", "needle_9", XDG_RUNTIME_DIR=daemon.runtime) for _ in range(5)
        ]
        for process in asking:
            process.send_signal(signal.SIGSTOP)
        assert answers(daemon)
        for process in asking:
            process.kill()
            process.communicate()


def test_a_storm_of_errors_is_counted_and_hardly_logged(indexed: Tree) -> None:
    started = time.monotonic()
    with serving(indexed, CIDX_LOG="info") as daemon, unharmed(daemon):
        with daemon.connect() as connection:
            for _ in range(3000):
                connection.root.query_hybrid(str(indexed.root), " ")
        assert status(daemon)["errors"]["bad-query"] == 3000
    logged = sum("request answered" in line for line in daemon.records)
    assert logged <= 501 + 20 * (time.monotonic() - started)
    assert logged < 3000


# Disks and clocks


@needs_cc
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_an_edit_that_can_not_be_brought_in_is_said(indexed: Tree, tmp_path: Path, number: int) -> None:
    state = tmp_path / "state"
    state.write_bytes(bytes(4096))
    refusing = {
        "LD_PRELOAD": str(compile_library(tmp_path)),
        "REFUSE_BELOW": str(indexed.repository.folder),
        "REFUSE_STATE": str(state),
        "REFUSE_AT": "12",
        "REFUSE_WITH": str(number),
        "REFUSE_ALL": "1",
    }
    with serving(indexed, **refusing) as daemon:
        first = daemon.run("query", "--json", "needle_7")
        indexed.write({"part0/file0.py": "def changed_needle():\n    return 1\n"})
        for ran in (first, daemon.run("query", "--json", "needle_7")):
            # A disk that fails may take what is read too; one that is full takes nothing.
            assert ran.code == 0 or (
                ran.code in (3, 5) and number == errno.EIO and "Traceback" not in ran.err
            )
            assert ran.code != 0 or ran.json["hits"][0]["path"] == "part2/file7.py"
        assert ran.code != 0 or (ran.json["fresh"], ran.json["changed_files"]) == (False, 1)
    assert struct.unpack_from("@L", state.read_bytes())[0] >= 12
    assert "Traceback" not in "".join(daemon.records)
    with serving(indexed) as daemon:
        found = daemon.run("query", "--json", "changed_needle").json
        assert (found["fresh"], found["hits"][0]["path"]) == (True, "part0/file0.py")


@needs_cc
def test_a_clock_that_is_set_changes_nothing(indexed: Tree, tmp_path: Path) -> None:
    library, wrong = tmp_path / "clock.so", tmp_path / "wrong"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
    wrong.write_bytes(bytes(8))
    fast = {"CIDX_DAEMON_TTL_MINUTES": "5", "CIDX_DAEMON_EVICTION_CHECK_INTERVAL_SECONDS": "0.1"}
    with (
        serving(indexed, LD_PRELOAD=str(library), CLOCK_STATE=str(wrong), **fast) as daemon,
        unharmed(daemon),
    ):
        for days in (1, -1, 4000, -4000):
            with wrong.open("r+b") as stream:
                stream.write(struct.pack("@l", days * 86400))
            name = f"changed_{'in' if days > 0 else 'out'}_{abs(days)}"
            indexed.write({"part0/file0.py": f"def {name}():\n    return 1\n"})
            found = daemon.run("query", "--json", name).json
            assert (found["fresh"], found["hits"][0]["path"]) == (True, "part0/file0.py"), days
            job = json.loads(daemon.ask("index", str(indexed.root)))
            while job["state"] == "running":
                job = json.loads(daemon.ask("job_poll", job["id"], job["seen"], 5))
            assert job["state"] == "done"


@pytest.mark.parametrize("how", ["cut", "flipped", "gone"])
def test_an_index_that_breaks_under_a_daemon_is_made_whole(indexed: Tree, how: str) -> None:
    """Without a wrong answer on the way. A mapped file that is cut ends whoever reads on; the next one heals."""
    files = [file for file in indexed.repository.index_folder.glob("base-*/**/*") if file.is_file()]
    names = sorted({file.name for file in files if file.name in ("catalogue.sqlite", "vectors", "meta.json")})
    assert len(names) == 3
    for name in names:
        with serving(indexed) as daemon:
            assert answers(daemon)
            (file,) = indexed.repository.index_folder.glob(f"base-*/**/{name}")
            damage(file, how)
            indexed.write({"part0/file0.py": f"def changed_{names.index(name)}_{how}():\n    return 1\n"})
            for _ in range(3):
                ran = client(indexed, daemon)
                assert ran.code in (0, 3, 5), ran
                assert "Traceback" not in ran.err
                assert ran.code != 0 or "file7.py" in ran.out
        assert indexed.process("index").code == 0
        with serving(indexed) as daemon:
            assert answers(daemon)
        assert indexed.process("doctor").code == 0


def damage(file: Path, how: str) -> None:
    if how == "gone":
        file.unlink()
    elif how == "cut":
        os.truncate(file, file.stat().st_size // 3)
    else:
        data = bytearray(file.read_bytes())
        for at in range(len(data) // 2, min(len(data), len(data) // 2 + 64)):
            data[at] ^= 0x55
        with file.open("r+b") as stream:
            stream.write(data)
