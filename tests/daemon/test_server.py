"""The daemon's life: ready, serving many, leaving when idle, told to, or replaced."""

import json
import os
import shutil
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from rpyc.utils.factory import unix_connect

from cidx.api.versions import PROTOCOL, VERSION
from tests.daemon.kit import Daemon, serving
from tests.kit import Tree

PATIENCE_S = 20
pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def indexed(tree: Tree) -> Tree:
    tree.write({"a.py": "def needle():\n    return 1\n"}).commit()
    tree.index()
    return tree


def status(daemon: Daemon) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads(daemon.ask("get_status"))
    return found


def test_every_documented_method_answers_a_stock_client(indexed: Tree) -> None:
    with serving(indexed) as daemon, daemon.connect() as connection:
        root = connection.root
        assert root.ping() == "pong"
        protocol, version, pid, repository, state = root.hello((PROTOCOL, VERSION, 1))
        assert (protocol, version, repository, state) == (PROTOCOL, VERSION, indexed.repository.id, "ready")
        os.kill(pid, 0)
        for method in (root.query, root.query_fts, root.query_hybrid):
            (hit,) = json.loads(method(str(indexed.root), "needle", limit=1, language=("python",)))["hits"]
            assert hit["path"] == "a.py"
        options = {"regex": True, "limit": 0, "exclude_path": ("b*", "c*")}
        (hit,) = json.loads(root.query_fts(str(indexed.root), r"ne+dle\(", **options))["hits"]
        assert [match["line"] for match in hit["matches"]] == [1]
        assert json.loads(root.query_fts(str(indexed.root), "neddle", fuzzy=True, min_score=0.01))["hits"]
        for method, text in (
            (root.symbols, "needle"),
            (root.symbols, ""),
            (root.refs, "needle"),
            (root.similar, "a.py:1"),
        ):
            assert "hits" in json.loads(method(str(indexed.root), text, language="python", limit=3))
        counted = json.loads(root.get_status())
        assert counted["errors"] == {}
        assert json.loads(root.query_fts(str(indexed.root), "x", language="nope"))["error"]["code"] == "usage"
        assert json.loads(root.query_fts(str(indexed.root), "x", nonsense=1))["error"]["code"] == "usage"
        assert json.loads(root.health())["status"] == "well"
        counted = json.loads(root.get_status())
        assert counted["requests"]["query_fts"] == 5
        assert counted["errors"] == {"usage": 2}
        assert json.loads(root.metrics())["latency_ms"]["query"]["p50"] > 0
        assert root.clear_cache() is True
        assert json.loads(root.get_status())["cache"]["open"] is False


def test_a_hundred_first_queries_open_the_generation_once(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda: answers.append(daemon.run("query", "-q", "needle").code))
            for _ in range(100)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [0] * 100
        assert status(daemon)["events"]["generations_opened"] == 1


def test_the_same_question_is_found_once(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        for _ in range(5):
            daemon.run("query", "-q", "needle")
        events = status(daemon)["events"]
        assert (events["cache_misses"], events["cache_hits"]) == (1, 4)


def test_what_was_said_is_said_again_only_while_nothing_changed(indexed: Tree) -> None:
    """Also in a file that had changed already, when nobody may index it."""
    with serving(indexed, CIDX_DAEMON_AUTO_INDEX="false") as daemon:
        said = [daemon.run("query", "needle").out for _ in range(4)]
        assert len(set(said)) == 1
        assert json.loads(daemon.ask("get_status"))["events"]["cache_hits"] == 3
        for word in ("first", "second", "third"):
            indexed.write({"a.py": f"def needle():\n    return '{word}'\n"})
            until = time.monotonic() + PATIENCE_S
            while word not in (out := daemon.run("query", "needle").out):
                assert time.monotonic() < until, out
                time.sleep(0.2)


def test_another_process_publishes_and_the_next_answer_knows(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        assert daemon.run("query", "--json", "needle").json["generation"] == 1
        indexed.save("b.py", "def needle_too(): ...\n")
        indexed.index()
        answer = daemon.run("query", "--json", "needle").json
        assert (answer["generation"], len(answer["hits"])) == (2, 2)
        indexed.index("--clear")
        assert daemon.run("query", "--json", "needle").json["generation"] == 3


def test_changes_are_brought_in_when_the_tree_is_looked_at_again(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        daemon.run("query", "needle")
        indexed.write({"late.py": "def arrived_later(): ...\n"})
        daemon.ask("clear_cache")
        assert daemon.run("query", "-q", "arrived_later").out.startswith("late.py:1-1\n")


def test_trouble_with_the_index_is_answered_not_died_of(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        assert daemon.run("query", "needle").code == 0
        # Opened once more by whoever watches the tree, it may not go at once.
        while (indexed.root / ".code-indexer").exists():
            shutil.rmtree(indexed.root / ".code-indexer", ignore_errors=True)
        assert "[not-indexed]" in daemon.run("query", "needle").err
        indexed.index()
        assert daemon.run("query", "needle").code == 0
        assert daemon.process.poll() is None


def test_settings_that_make_no_sense_are_answered_not_died_of(indexed: Tree) -> None:
    file = indexed.root / ".code-indexer/config.json"
    file.write_text('{"daemon": {"ttl_minutes": "soon"}}')
    with serving(indexed) as daemon:
        ran = daemon.run("query", "needle")
        assert ran.code == 2
        assert "ttl_minutes" in ran.err
        file.unlink()
        assert daemon.run("query", "needle").code == 0
        file.write_text("no JSON at all")
        assert daemon.run("query", "needle").code == 2
        assert daemon.process.poll() is None


def set_ttl(tree: Tree, minutes: float) -> None:
    """A daemon that may not be idle for long is asked in time only if it hears of that afterwards."""
    (tree.root / ".code-indexer/config.json").write_text(json.dumps({"daemon": {"ttl_minutes": minutes}}))


def test_an_idle_daemon_gives_the_memory_back_and_leaves(indexed: Tree) -> None:
    with serving(indexed, CIDX_DAEMON_EVICTION_CHECK_INTERVAL_SECONDS="0.1") as daemon:
        daemon.run("query", "needle")
        set_ttl(indexed, 0.01)
        assert daemon.process.wait(PATIENCE_S) == 0
        assert not Path(daemon.path).exists()


def test_an_idle_daemon_that_may_not_leave_only_gives_the_memory_back(indexed: Tree) -> None:
    with serving(
        indexed,
        CIDX_DAEMON_EVICTION_CHECK_INTERVAL_SECONDS="0.1",
        CIDX_DAEMON_AUTO_SHUTDOWN_ON_IDLE="false",
        CIDX_LOG="info",
    ) as daemon:
        daemon.run("query", "needle")
        set_ttl(indexed, 0.01)
        # Asking resets the idle time, so the log is what tells.
        until = time.monotonic() + PATIENCE_S
        while not any("cache given back" in line for line in daemon.records):
            assert time.monotonic() < until, daemon.records
            time.sleep(0.02)
        set_ttl(indexed, 10)
        assert daemon.run("query", "needle").code == 0
        assert status(daemon)["events"]["generations_opened"] == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(indexed: Tree, number: signal.Signals) -> None:
    with serving(indexed) as daemon:
        with daemon.connect() as connection:
            assert connection.root.ping() == "pong"
            daemon.process.send_signal(number)
            assert daemon.process.wait(PATIENCE_S) == 0
        assert not Path(daemon.path).exists()


def test_shutdown_ends_it_cleanly(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        assert daemon.ask("shutdown") is True
        assert daemon.process.wait(PATIENCE_S) == 0


def test_a_second_daemon_is_refused_and_the_first_lives(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        second = indexed.process("daemon", "serve", XDG_RUNTIME_DIR=daemon.runtime)
        assert second.code == 4
        assert "another daemon already answers" in second.err
        assert daemon.ask("ping") == "pong"


def test_the_socket_of_a_killed_daemon_is_taken_over(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        daemon.process.kill()
        daemon.process.wait()
        assert Path(daemon.path).exists()
        with serving(indexed, XDG_RUNTIME_DIR=daemon.runtime) as next_one:
            assert next_one.path == daemon.path
            assert next_one.ask("ping") == "pong"


def test_socket_and_folder_belong_to_this_user_alone(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        assert Path(daemon.path).stat().st_mode & 0o777 == 0o600
        assert Path(daemon.path).parent.stat().st_mode & 0o777 == 0o700


def test_too_many_connections_are_told_busy(indexed: Tree) -> None:
    from cidx.daemon.clients import MOST_CONNECTIONS

    with serving(indexed) as daemon:
        held = []
        try:
            # Connections that have said something stay; silent ones would be dropped after 3 s.
            for _ in range(MOST_CONNECTIONS):
                held.append(unix_connect(daemon.path))
                held[-1].ping()
            late = unix_connect(daemon.path)
            with pytest.raises(Exception, match="too many connections"):
                _ = late.root
            late.close()
        finally:
            for connection in held:
                connection.close()
        deadline = time.monotonic() + PATIENCE_S
        while status_or_busy(daemon) is None:
            assert time.monotonic() < deadline
        assert daemon.run("query", "needle").code == 0


def status_or_busy(daemon: Daemon) -> object:
    try:
        return status(daemon)
    except Exception as error:
        assert "too many" in str(error)  # noqa: PT017  (polled until it is not)
        return None


def test_a_connection_that_says_nothing_is_dropped(indexed: Tree) -> None:
    with serving(indexed) as daemon, socket.socket(socket.AF_UNIX) as silent:
        silent.connect(daemon.path)
        silent.settimeout(PATIENCE_S)
        assert silent.recv(1) == b""


@pytest.mark.parametrize("file", ["log.py", "index/grammars/python.scm", "text/model.bin"])
def test_new_code_on_disk_makes_the_daemon_leave(indexed: Tree, tmp_path: Path, file: str) -> None:
    """A copy of the package, served from there and touched; what is read later counts too."""
    package = tmp_path / "code" / "cidx"
    shutil.copytree(Path(__file__).parents[2] / "cidx", package)
    with serving(indexed, PYTHONPATH=str(package.parent)) as daemon:
        assert daemon.ask("hello", (PROTOCOL, VERSION, 1))[4] == "ready"
        (package / file).touch()
        # The daemon trusts its last look for a second.
        until = time.monotonic() + PATIENCE_S
        while (state := daemon.ask("hello", (PROTOCOL, VERSION, 1))[4]) != "leaving":
            assert (state, time.monotonic() < until) == ("ready", True)
            time.sleep(0.1)
        assert daemon.process.wait(PATIENCE_S) == 0


def test_code_that_cannot_be_loaded_ends_the_daemon_as_a_bug(indexed: Tree, tmp_path: Path) -> None:
    """So that the supervisor tries again, and no client waits for ever."""
    package = tmp_path / "code" / "cidx"
    shutil.copytree(Path(__file__).parents[2] / "cidx", package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "search" / "half_an_upgrade.py").write_text("import a_module_that_is_not_there_yet\n")
    with serving(indexed, PYTHONPATH=str(package.parent)) as daemon:
        assert daemon.process.wait(timeout=20) == 70
        said = daemon.log()
    assert "a_module_that_is_not_there_yet" in said
    assert "Traceback" not in said


def test_another_protocol_is_refused_before_anything_else(indexed: Tree) -> None:
    with serving(indexed) as daemon, daemon.connect() as connection:
        for strange in ((PROTOCOL + 1, "9.9", 1, "more"), (), None, "text", (1.5,)):
            assert connection.root.hello(strange)[4] == "refused"
            with pytest.raises(Exception, match="hello first"):
                connection.root.run((b"query", b"x"), b"/", (80, False, False), (), b"", "r")


def test_a_daemon_does_not_serve_within_a_daemon(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        ran = daemon.run("daemon", "serve")
        assert ran.code == 2
        assert "within a daemon" in ran.err
        assert daemon.run("query", "needle").code == 0
