"""The index job: one at a time, anybody's to watch, nobody's to break."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rpyc.utils.factory import unix_connect

from cidx.index import apart
from cidx.repository import lock
from cidx.repository import repository as repositories
from cidx.repository.settings import IndexSettings
from cidx.store import layout
from tests.daemon.kit import Daemon, serving
from tests.kit import Ran, Tree

PATIENCE_S = 30.0
pytestmark = pytest.mark.timeout(180)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="a process's children are read from /proc")
# Enough for a job that takes a second or two.
MANY = {
    f"part{n % 7}/file{n}.py": "".join(
        f"def needle_{n}_{i}(value):\n    return value + {i}\n\n\n" for i in range(30)
    )
    for n in range(300)
}


@pytest.fixture
def small(tree: Tree) -> Tree:
    return tree.write({"a.py": "def needle():\n    return 1\n"}).commit()


@pytest.fixture
def large(tree: Tree) -> Tree:
    return tree.write(MANY).commit()


@contextlib.contextmanager
def held_still(tree: Tree) -> Iterator[None]:
    """No job of this tree gets any further meanwhile: the writer's lock is ours."""
    repository = tree.repository
    repository.folder.mkdir(mode=0o700, exist_ok=True)
    with lock.writing(repository.folder, wait=False):
        yield


def until(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return found


def begin(daemon: Daemon, **options: Any) -> Any:
    return json.loads(daemon.ask("index", str(daemon.tree.root), **options))


def poll(daemon: Daemon, job: Any, wait_s: float = 0.0) -> Any:
    return json.loads(daemon.ask("job_poll", job["id"], job["seen"], wait_s))


def end_of(daemon: Daemon, job: Any) -> Any:
    while job["state"] == "running":
        job = poll(daemon, job, 5.0)
    return job


def jobs(daemon: Daemon) -> Any:
    return json.loads(daemon.ask("get_status"))["jobs"]


def is_waiting(daemon: Daemon) -> bool:
    """Whether a job has come as far as it can while it is held still."""
    return any(job["phase"].startswith("waiting for") for job in jobs(daemon))


def asked(daemon: Daemon) -> int:
    """How many have asked for a job."""
    return int(json.loads(daemon.ask("get_status"))["requests"].get("index", 0))


def viewer(daemon: Daemon, *flags: str) -> "subprocess.Popen[str]":
    return daemon.tree.spawn("index", *flags, XDG_RUNTIME_DIR=daemon.runtime)


def ended(process: "subprocess.Popen[str]") -> Ran:
    out, err = process.communicate(timeout=60)
    return Ran(process.returncode, out, err)


def index(daemon: Daemon, *flags: str) -> Ran:
    return ended(viewer(daemon, *flags))


def children(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(folder.name))
    return found


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def ask(daemon: Daemon, text: str = "needle") -> Any:
    return json.loads(daemon.ask("query_fts", str(daemon.tree.root), text))


# Watching


def test_twenty_viewers_see_one_job_to_the_same_end(large: Tree) -> None:
    with serving(large) as daemon:
        seen: list[list[Any]] = [[] for _ in range(20)]

        def view(states: list[Any]) -> None:
            with daemon.connect() as connection:
                states.append(json.loads(connection.root.index(str(large.root))))
                while states[-1]["state"] == "running":
                    last = states[-1]
                    states.append(json.loads(connection.root.job_poll(last["id"], last["seen"], 5.0)))

        threads = [threading.Thread(target=view, args=(states,)) for states in seen]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        last = seen[0][-1]
        assert (last["state"], last["summary"]["files"]) == ("done", len(MANY))
        for states in seen:
            assert states[-1] == last
            numbers = [state["seen"] for state in states]
            assert numbers == sorted(set(numbers)), "each is newer than the one before"
            assert {state["files_total"] for state in states} <= {0, len(MANY)}
            for name in ("files_total", "files_done", "chunks"):
                values = [state[name] for state in states]
                assert values == sorted(values)
        generation = json.loads(large.run("status", "--json").out)["index"]["generation"]
        assert generation == last["summary"]["generation"]


def test_the_command_shows_the_job_as_it_shows_its_own(small: Tree, make_tree: Callable[[str], Tree]) -> None:
    with serving(small) as daemon:
        ran = index(daemon)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.startswith(
            "published generation 1: 1 added, 0 changed, 0 removed, 1 chunks embedded in "
        )
        assert ran.out.endswith("\n1 files, 1 chunks\n")
        small.write({"b.py": "def other():\n    return 2\n"})
        by_daemon = index(daemon, "--json").json
        here = small.index()
        assert (by_daemon["added"], here["added"]) == (1, 0)
        same = ("repository", "generation", "files", "chunks", "skipped")
        assert by_daemon.keys() == here.keys()
        assert [by_daemon[name] for name in same] == [here[name] for name in same]
        assert asked(daemon) == 2
        small.write({"c.py": "def third(): ...\n"})
        assert index(daemon, "--standalone").code == 0
        small.write({"d.py": "def fourth(): ...\n"})
        assert small.process("index", XDG_RUNTIME_DIR=daemon.runtime, CIDX_STANDALONE="1").code == 0
        assert asked(daemon) == 2


def test_settings_of_the_asker_count(small: Tree) -> None:
    small.write({"b.js": "function other() { return 1 }\n"}).commit()
    with serving(small) as daemon:
        settings = {"CIDX_INDEX_LANGUAGES": "python", "XDG_RUNTIME_DIR": daemon.runtime}
        ran = small.process("index", "--json", **settings)
        assert ran.json["files"] == small.run("index", "--json", environment=settings).json["files"] == 1
        ran = small.process("index", "--json", **settings | {"CIDX_INDEX_LANGUAGES": "klingon"})
        assert (ran.code, ran.json["error"]["code"]) == (2, "bad-config")


def test_who_wants_all_made_anew_waits_for_the_running_job(small: Tree) -> None:
    with serving(small) as daemon, contextlib.ExitStack() as still:
        still.enter_context(held_still(small))
        first = begin(daemon)
        again = viewer(daemon, "--clear", "--json")
        until(lambda: asked(daemon) == 2)
        still.close()
        assert end_of(daemon, first)["summary"]["generation"] == 1
        assert ended(again).json["why_rebuilt"] == "asked for"


@LINUX
def test_viewers_may_die_or_stop(small: Tree) -> None:
    with serving(small) as daemon, contextlib.ExitStack() as still:
        still.enter_context(held_still(small))
        job = begin(daemon)
        killed, stopped, other = (viewer(daemon) for _ in range(3))
        until(lambda: asked(daemon) == 4)
        killed.kill()
        killed.communicate()
        os.kill(stopped.pid, signal.SIGSTOP)
        still.close()
        assert end_of(daemon, job)["state"] == "done"
        assert ended(other).code == 0
        os.kill(stopped.pid, signal.SIGCONT)
        ran = ended(stopped)
        assert (ran.code, ran.out.split(":")[0]) == (0, "published generation 1")


def test_ctrl_c_ends_the_view_and_not_the_job(small: Tree) -> None:
    with serving(small) as daemon, contextlib.ExitStack() as still:
        still.enter_context(held_still(small))
        for number, flags in enumerate(((), ("--json",)), 1):
            view = viewer(daemon, *flags)
            until(lambda number=number: is_waiting(daemon) and asked(daemon) == number)
            view.send_signal(signal.SIGINT)
            ran = ended(view)
            assert ran.code == 130
            if flags:
                assert ran.json["error"]["code"] == "interrupted"
            else:
                said = "cidx: the index goes on in the daemon; to stop it: cidx index --cancel\n"
                assert (ran.out, ran.err) == ("", said)
        (job,) = jobs(daemon)
        still.close()
        assert end_of(daemon, job)["state"] == "done"


def test_cancel_ends_the_job(small: Tree) -> None:
    with serving(small) as daemon:
        assert index(daemon, "--cancel") == Ran(0, "there is no index job to cancel\n", "")
        with held_still(small):
            ran = index(daemon, "--cancel")
            assert (ran.code, "process" in ran.out) == (0, True), "who writes is named"
            view = viewer(daemon)
            until(lambda: is_waiting(daemon))
            ran = index(daemon, "--cancel")
            assert ran.out == "the index job was cancelled; the index is as it was published last\n"
            ran = ended(view)
            assert (ran.code, "was cancelled [interrupted]" in ran.err) == (130, True), ran
        assert jobs(daemon) == []
        ran = daemon.run("query", "needle")
        assert (ran.code, "not been indexed" in ran.err) == (3, True), "it does not begin again by itself"
        assert jobs(daemon) == []
        assert index(daemon, "--cancel", "--clear").code == 2
        assert index(daemon).code == 0
        assert daemon.run("query", "needle").code == 0
    assert small.process("index", "--cancel").out == "there is no index job to cancel\n"


@LINUX
def test_a_job_that_does_not_stop_is_killed(small: Tree) -> None:
    with serving(small) as daemon, held_still(small):
        job = begin(daemon)
        until(lambda: is_waiting(daemon))
        (child,) = children(daemon.process.pid)
        os.kill(child, signal.SIGSTOP)
        # It hangs, and nobody else does.
        assert daemon.ask("ping") == "pong"
        assert poll(daemon, job, 0.1)["state"] == "running"
        assert json.loads(daemon.ask("job_cancel", job["id"]))["state"] == "running"
        assert end_of(daemon, job)["state"] == "cancelled"
        assert not is_alive(child)


# What may happen to it


@LINUX
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_daemon_ends_in_the_middle(large: Tree, number: signal.Signals) -> None:
    with serving(large) as daemon:
        view = viewer(daemon, "--json")
        until(lambda: any(job["files_done"] for job in jobs(daemon)))
        offspring = children(daemon.process.pid)
        offspring += [pid for child in offspring for pid in children(child)]
        os.kill(daemon.process.pid, number)
        ran = ended(view)
        assert (ran.code, ran.json["files"]) == (0, len(MANY))
        assert "process" in ran.err, "it says that it went on by itself"
        # Beside progress, and the job whose daemon was killed being waited for where it still holds the lock.
        assert ran.err.count("\n") <= 3, ran.err
        daemon.process.wait(PATIENCE_S)
        until(lambda: not any(map(is_alive, offspring)))
    assert large.index()["added"] == 0
    assert large.run("doctor").code in (0, 1)
    assert large.query("needle_299_29")["hits"][0]["path"] == "part5/file299.py"


@LINUX
def test_the_job_of_a_daemon_that_is_told_to_leave_ends_with_it(small: Tree) -> None:
    with serving(small) as daemon, held_still(small):
        begin(daemon)
        until(lambda: is_waiting(daemon))
        (child,) = children(daemon.process.pid)
        daemon.process.terminate()
        assert daemon.process.wait(PATIENCE_S) == 0
        assert not is_alive(child)


@LINUX
def test_a_job_whose_process_dies_has_failed(small: Tree) -> None:
    with serving(small) as daemon, held_still(small):
        view = viewer(daemon)
        until(lambda: is_waiting(daemon))
        (child,) = children(daemon.process.pid)
        os.kill(child, signal.SIGKILL)
        ran = ended(view)
        assert (ran.code, "by SIGKILL" in ran.err) == (130, True), ran
        (job,) = jobs(daemon)
        assert (job["state"], job["error"]["code"]) == ("failed", "interrupted")
        assert json.loads(daemon.ask("health"))["status"] == "degraded"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_job_that_may_not_write_fails(small: Tree) -> None:
    with serving(small) as daemon:
        (small.root / ".code-indexer").mkdir(mode=0o500)
        assert end_of(daemon, begin(daemon))["error"]["code"] == "io-error"


def test_a_job_that_fails_says_why_and_the_next_one_works(small: Tree) -> None:
    with serving(small) as daemon:
        folder = small.root / ".code-indexer"
        folder.mkdir(mode=0o700)
        (folder / "index").write_text("not a folder")
        ran = index(daemon)
        assert (ran.code, "[io-error]" in ran.err) == (5, True), ran
        assert index(daemon, "--json").json["error"]["code"] == "io-error"
        ran = daemon.run("query", "needle")
        assert "can't be written" in ran.err, "an answer says why there is no index"
        row = next(
            line
            for line in small.process("status", XDG_RUNTIME_DIR=daemon.runtime).out.split("\n")
            if line.startswith("job")
        )
        assert "failed" in row
        (folder / "index").unlink()
        assert index(daemon).code == 0
        assert json.loads(daemon.ask("health"))["status"] == "well"


def test_an_idle_daemon_waits_for_its_job(small: Tree) -> None:
    small.index()
    with (
        serving(small, CIDX_DAEMON_EVICTION_CHECK_INTERVAL_SECONDS="0.1") as daemon,
        contextlib.ExitStack() as still,
    ):
        still.enter_context(held_still(small))
        begin(daemon)
        (small.root / ".code-indexer/config.json").write_text('{"daemon": {"ttl_minutes": 0.01}}')
        with pytest.raises(subprocess.TimeoutExpired):
            daemon.process.wait(1.5)
        still.close()
        assert daemon.process.wait(PATIENCE_S) == 0


def test_a_running_job_is_in_every_picture(small: Tree) -> None:
    small.index()
    small.write({"a.py": "def needle():\n    return 2\n"})
    with serving(small) as daemon, held_still(small):
        job = begin(daemon)
        until(lambda: is_waiting(daemon))
        status = small.process("status", "--json", XDG_RUNTIME_DIR=daemon.runtime).json
        (shown,) = status["daemon"]["jobs"]
        assert (shown["id"], shown["kind"], shown["state"]) == (job["id"], "index", "running")
        assert abs(shown["since"] - time.time()) < PATIENCE_S
        rows = small.process("status", XDG_RUNTIME_DIR=daemon.runtime).out
        assert any(row.startswith("job         index since ") for row in rows.split("\n")), rows
        assert "1 file has changed since, being brought in" in rows
        assert "next: cidx index" not in rows
        assert "; job: index since " in small.process("health", XDG_RUNTIME_DIR=daemon.runtime).out
        assert json.loads(daemon.ask("health"))["jobs"][0]["id"] == job["id"]


def test_queries_are_answered_during_a_job(large: Tree) -> None:
    large.index()
    with serving(large) as daemon:
        job = begin(daemon, clear=True)
        answers = 0
        while jobs(daemon):
            ran = daemon.run("query", "--json", f"needle_{answers % 300}_3")
            assert ran.code == 0, ran
            assert ran.json["hits"][0]["path"].endswith(f"file{answers % 300}.py")
            answers += 1
        assert answers
        assert end_of(daemon, job)["summary"]["rebuilt"]


def test_jobs_that_nobody_knows(small: Tree) -> None:
    with serving(small) as daemon:
        for said in (daemon.ask("job_poll", "nonsense", 0, 0), daemon.ask("job_cancel", "nonsense")):
            assert json.loads(said)["error"]["code"] == "usage"
        elsewhere = json.loads(daemon.ask("index", str(small.root.parent)))
        assert elsewhere["error"]["code"] == "usage"


# Where no daemon does it


def test_an_address_where_nobody_answers_is_told_in_one_line(small: Tree, short: Path) -> None:
    from cidx.client import address

    environment = {"XDG_RUNTIME_DIR": str(short)}
    path = Path(address.socket_path(str(small.root), environment=environment, home=str(small.users.home)))
    path.parent.mkdir(mode=0o700, parents=True)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(path))
    ran = small.process("index", **environment)
    assert (ran.code, ran.out.split(":")[0]) == (0, "published generation 1")
    assert (
        ran.err
        == "cidx: the daemon does not accept connections; indexing in this process. next: cidx doctor\n"
    )


def test_a_run_in_a_process_of_its_own_takes_any_path(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    odd = tree.root / os.fsdecode(b"r\xe9p 100%")
    (odd / ".git").mkdir(parents=True)
    tree.write({f"{odd.name}/a.py": "def needle(): ...\n"}).git("init", "-q", str(odd))
    found = repositories.find(odd, tree.users)
    order = apart.Order(repository=found, settings=IndexSettings(exclude=("*.log",), languages=("python",)))
    assert apart.Order.from_json(json.loads(json.dumps(order.to_json()))) == order
    *_, last = apart.Run(order).said()
    assert isinstance(last, apart.Outcome)
    assert last.summary is not None, last
    assert last.summary.added == 1


# The callback of programs


def connect(daemon: Daemon) -> Any:
    return unix_connect(daemon.path, config={"sync_request_timeout": None})


def test_a_callback_is_told_how_far_it_is(large: Tree) -> None:
    told: list[Any] = []
    with serving(large) as daemon, contextlib.closing(connect(daemon)) as connection:
        started = time.monotonic()
        last = json.loads(
            connection.root.index(str(large.root), callback=lambda text: told.append(json.loads(text)))
        )
        took_s = time.monotonic() - started
        assert (last["state"], last["summary"]["files"]) == ("done", len(MANY))
        assert 2 <= len(told) <= took_s * 10 + 2
        numbers = [state["seen"] for state in told]
        assert numbers == sorted(set(numbers))
        assert any(state["files_total"] == len(MANY) for state in told)
        # The connection is as good as before.
        assert connection.root.ping() == "pong"
        assert json.loads(connection.root.index(str(large.root), told.append))["state"] == "done"


def test_a_callback_that_fails_is_told_all_the_same(large: Tree) -> None:
    told = []

    def fails(text: str) -> None:
        told.append(text)
        raise RuntimeError("no")

    with serving(large) as daemon, contextlib.closing(connect(daemon)) as connection:
        assert json.loads(connection.root.index(str(large.root), callback=fails))["state"] == "done"
        assert len(told) >= 2


def test_a_callback_that_hangs_holds_up_nobody(small: Tree) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hangs(text: str) -> None:
        entered.set()
        leave.wait(PATIENCE_S)

    with serving(small) as daemon, contextlib.ExitStack() as still:
        connection = connect(daemon)
        still.enter_context(held_still(small))
        said: list[Any] = []
        caller = threading.Thread(
            target=lambda: said.append(connection.root.index(str(small.root), callback=hangs))
        )
        caller.start()
        assert entered.wait(PATIENCE_S)
        still.close()
        until(lambda: not jobs(daemon))
        assert daemon.run("query", "needle").code == 0
        leave.set()
        caller.join(PATIENCE_S)
        assert json.loads(said[0])["state"] == "done"
        connection.close()


def test_the_death_of_a_callbacks_client_changes_nothing(small: Tree) -> None:
    with serving(small) as daemon, contextlib.ExitStack() as still:
        still.enter_context(held_still(small))
        program = (
            "import os, sys; from rpyc.utils.factory import unix_connect; "
            "unix_connect(sys.argv[1]).root.index(sys.argv[2], callback=lambda text: os._exit(7))"
        )
        argv = [sys.executable, "-c", program, daemon.path, str(small.root)]
        assert subprocess.run(argv, timeout=PATIENCE_S, check=False).returncode == 7
        until(lambda: json.loads(daemon.ask("get_status"))["connections"] == 1)
        (job,) = jobs(daemon)
        still.close()
        assert end_of(daemon, job)["state"] == "done"


# What the daemon begins by itself


def test_a_query_without_an_index_has_one_made(large: Tree) -> None:
    with serving(large) as daemon:
        ran = daemon.run("query", "needle_3_3")
        assert ran.code == 3
        assert "it is being made" in ran.err, ran
        assert "cidx index shows how far it is" in ran.err
        until(lambda: daemon.run("query", "needle_3_3").code == 0)
        # As `git clean -fdx` does it.
        before = ask(daemon)["generation"]
        while (large.root / ".code-indexer").exists():
            subprocess.run(["rm", "-rf", str(large.root / ".code-indexer")], check=False)
        answer = ask(daemon, "needle_3_3")
        assert answer["error"]["code"] == "not-indexed"
        assert "being made" in answer["error"]["why"]
        assert before
        assert until(lambda: ask(daemon, "needle_3_3").get("hits"))[0]["path"].endswith("file3.py")


def test_large_changes_are_brought_in_beside_the_answers(small: Tree) -> None:
    small.index()
    with serving(small) as daemon:
        assert ask(daemon)["fresh"]
        small.write(MANY)
        answer = ask(daemon)
        assert answer["hits"][0]["path"] == "a.py"
        assert (answer["fresh"], answer["indexing"]) == (False, True), answer
        assert answer["changed_files"] > 0
        answer = until(lambda: (found := ask(daemon, "needle_3_3"))["fresh"] and found)
        assert answer["hits"][0]["path"].endswith("file3.py")
        assert "indexing" not in answer


def test_people_are_told_that_it_is_being_brought_in(small: Tree) -> None:
    small.index()
    with serving(small) as daemon:
        assert daemon.run("query", "needle").err == ""
        with held_still(small):
            job = begin(daemon)
            until(lambda: is_waiting(daemon))
            small.write({"b.py": "def another_needle(): ...\n"})
            said = "cidx: 1 file has changed since this index was made; that is being brought in\n"
            assert daemon.run("query", "needle").err == said
        end_of(daemon, job)
        assert until(lambda: daemon.run("query", "needle").err == "")


@pytest.mark.parametrize("what", ["format", "model"])
def test_an_index_of_another_kind_is_made_anew(small: Tree, what: str) -> None:
    small.index()
    folder = small.repository.index_folder
    base = layout.current(folder)
    if what == "format":
        pointer = {"format": layout.FORMAT - 1, "base": base.folder.name}
        (folder / layout.POINTER).write_text(json.dumps(pointer))
    else:
        with contextlib.closing(sqlite3.connect(base.catalogue)) as catalogue, catalogue:
            catalogue.execute("UPDATE meta SET value = 'another' WHERE name = 'model'")
    with serving(small) as daemon:
        daemon.run("query", "needle")
        until(lambda: daemon.run("query", "--semantic", "needle").code == 0)
        assert layout.current(folder) != base


def test_nothing_is_begun_where_nobody_wants_that(small: Tree) -> None:
    with serving(small, CIDX_DAEMON_AUTO_INDEX="false") as daemon:
        quiet = {"CIDX_DAEMON_AUTO_INDEX": "false"}
        ran = daemon.run("query", "needle", environment=quiet)
        assert (ran.code, "not been indexed" in ran.err) == (3, True)
        assert jobs(daemon) == []
        small.index()
        assert daemon.run("query", "needle", environment=quiet).code == 0
        small.write(MANY)
        ran = until(lambda: (found := daemon.run("query", "needle", environment=quiet)).err and found)
        assert "files have changed since this index was made; to bring that in: cidx index" in ran.err
        assert jobs(daemon) == []
