"""What may happen to a daemon and its units, one test for each; every time the query answers, within ten seconds.

The rows are those that were seen with a real systemd: crash, crash loop, hang, never ready, no interpreter, no
socket, no repository. `Repository.query` holds the ten seconds.
"""

import shutil
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.kit import FILES, PROMISE_S, Repository
from tests.e2e.machine import Answer, wait_for

pytestmark = pytest.mark.xdist_group("systemd")


def answered_here(answer: Answer, *said: str) -> None:
    """The query's own process answered, and one line says why, with the next step."""
    assert answer.code == 0, answer
    assert answer.json["served_by"] == "process"
    assert {hit["path"] for hit in answer.json["hits"]} == set(FILES)
    [line] = answer.err.splitlines()
    assert line.startswith("cidx: ")
    assert "next: cidx " in line
    for words in said:
        assert words in line


def repaired(repository: Repository) -> None:
    """`cidx service repair` mends it, and says what it did."""
    assert "mended: " in repository.done("service", "repair").out
    assert repository.served_by() == "daemon"


def leads_to_repair(repository: Repository) -> None:
    """Both places that a person is sent to name the command that mends."""
    assert "cidx service repair" in repository.cidx("service", "status").out
    assert "cidx service repair" in repository.cidx("doctor").out


# Crashes


def test_killed_daemon_is_replaced_before_the_next_query(repository: Repository) -> None:
    assert repository.served_by() == "daemon"
    before = repository.pid
    repository.kill(signal.SIGKILL)
    assert repository.served_by() == "daemon"
    assert repository.pid != before
    assert repository.state()["service.NRestarts"] == "1"


def test_query_whose_daemon_is_killed_is_answered_by_the_next_one(repository: Repository) -> None:
    assert repository.served_by() == "daemon"
    before = repository.pid
    repository.kill(signal.SIGSTOP)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(repository.served_by)
        connected = f"/proc/{before}/net/unix"
        wait_for(lambda: _connections(connected, repository.socket) > 0, what="the query to be connected")
        repository.kill(signal.SIGKILL)
        assert waiting.result() == "daemon"
    assert repository.pid != before


def _connections(table: str, path: str) -> int:
    """Connections to a listening socket, also those that nobody has accepted yet."""
    with open(table) as stream:
        # Type 1, state 2: a stream that is being connected, or 3: connected.
        lines = [line.split() for line in stream]
    return sum(line[4] == "0001" and line[5] in ("02", "03") and line[-1] == path for line in lines)


def kill_and_wait(repository: Repository) -> None:
    """Until the next daemon is ready."""
    before = repository.state()["service.MainPID"]
    repository.kill(signal.SIGKILL)
    wait_for(lambda: repository.state()["service.MainPID"] not in ("0", before), what="the next daemon")
    repository.wait_for_state("service.SubState", "running")


def more_than(count: int, answers: list[Answer]) -> Callable[[], bool]:
    return lambda: len(answers) > count


def test_daemons_killed_under_load_lose_no_query(repository: Repository) -> None:
    """Three clients all the time, and three kills at a distance that the start limit allows."""
    assert repository.served_by() == "daemon"
    answers: list[Answer] = []
    enough = threading.Event()

    def ask() -> None:
        while not enough.is_set():
            answers.append(repository.query())

    with ThreadPoolExecutor(3) as threads:
        asking = [threads.submit(ask) for _ in range(3)]
        try:
            for _ in range(3):
                kill_and_wait(repository)
                wait_for(more_than(len(answers) + 5, answers), what="answers of the next daemon")
        finally:
            enough.set()
        for each in asking:
            each.result()
    assert [answer for answer in answers if answer.code != 0] == []
    assert repository.served_by() == "daemon"
    assert repository.state()["service.NRestarts"] == "3"


def test_daemon_told_to_stop_finishes_and_the_socket_stays(repository: Repository) -> None:
    assert repository.served_by() == "daemon"
    repository.systemctl("stop", repository.units[1])
    assert repository.processes() == []
    assert repository.served_by() == "daemon"


def test_crash_loop_ends_and_is_repaired(repository: Repository) -> None:
    """A daemon that dies at once, five times, until systemd gives up and takes the socket away."""
    repository.override("Service", "ExecStart=", "ExecStart=/bin/false")
    answered_here(repository.query(), "the daemon went away")
    repository.wait_for_state("socket.Result", "service-start-limit-hit")
    assert not repository.has_socket()
    answered_here(repository.query(), "does not listen", "cidx service repair")
    leads_to_repair(repository)
    repository.no_override()
    repaired(repository)


def test_missing_interpreter_is_said_and_repaired(repository: Repository) -> None:
    """The environment that wrote the units is gone, as after a move; another one is asked now."""
    unit = f"{repository.unit_folder}/{repository.units[1]}"
    text = repository.user.done("cat", unit)
    assert f"{repository.user.home}/.local/share/cidx/venv/bin/python" in text
    repository.user.write(unit, text.replace("/.local/share/cidx/venv/", "/.local/share/cidx/elsewhere/"))
    repository.systemctl("daemon-reload")
    answered_here(repository.query(), "the daemon went away")
    leads_to_repair(repository)
    repaired(repository)


# Daemons that neither answer nor die


def test_hung_daemon_is_not_waited_for(repository: Repository) -> None:
    assert repository.served_by() == "daemon"
    repository.kill(signal.SIGSTOP)
    answered_here(repository.query(), "did not answer within 5 s")
    repository.kill(signal.SIGKILL)
    assert repository.served_by() == "daemon"


def test_watchdog_replaces_a_hung_daemon(repository: Repository) -> None:
    """With its own, longer times this takes half a minute."""
    repository.override("Service", "WatchdogSec=1500ms", "TimeoutAbortSec=500ms")
    assert repository.served_by() == "daemon"
    before = repository.pid
    repository.kill(signal.SIGSTOP)
    assert repository.served_by() == "daemon"
    assert repository.pid != before
    assert repository.state()["service.NRestarts"] == "1"


def test_watchdog_spares_a_daemon_that_is_only_idle(repository: Repository) -> None:
    """The serving loop feeds it, however seldom it looks at idleness."""
    repository.override("Service", "WatchdogSec=2s")
    assert repository.served_by() == "daemon"
    before = repository.pid
    repository.user.done("sleep", "3")
    assert repository.served_by() == "daemon"
    assert repository.pid == before


def test_daemon_that_is_never_ready_is_not_waited_for(repository: Repository) -> None:
    repository.override("Service", "ExecStart=", "ExecStart=/bin/sleep 1000")
    answered_here(repository.query(), "did not answer within 5 s")
    repository.no_override()
    repository.done("service", "restart")
    assert repository.served_by() == "daemon"


def test_daemon_that_is_never_ready_is_given_up(repository: Repository) -> None:
    repository.override(
        "Service", "ExecStart=", "ExecStart=/bin/sleep 1000", "TimeoutStartSec=200ms", "RestartSec=10ms"
    )
    answered_here(repository.query(), "the daemon went away")
    repository.wait_for_state("socket.Result", "service-start-limit-hit")
    leads_to_repair(repository)
    repository.no_override()
    repaired(repository)


# Sockets


def test_deleted_socket_file_is_said_and_repaired(repository: Repository) -> None:
    """systemd doesn't notice: for it the socket is active."""
    repository.user.done("rm", repository.socket)
    assert repository.state()["socket.ActiveState"] == "active"
    answered_here(repository.query(), "does not listen", "cidx service repair")
    leads_to_repair(repository)
    repaired(repository)
    assert repository.has_socket()


def test_deleted_socket_file_under_a_running_daemon(repository: Repository) -> None:
    assert repository.served_by() == "daemon"
    repository.user.done("rm", repository.socket)
    answered_here(repository.query(), "does not listen", "cidx service repair")
    repaired(repository)
    assert repository.has_socket()


def test_socket_restarted_under_a_running_daemon(repository: Repository) -> None:
    assert repository.served_by() == "daemon"
    repository.systemctl("restart", repository.units[0])
    assert repository.has_socket()
    assert repository.served_by() == "daemon"


def test_stopped_socket_is_off(repository: Repository) -> None:
    """Off means no daemon, and nothing that wakes one; the query's own process answers."""
    assert repository.served_by() == "daemon"
    repository.systemctl("stop", repository.units[0])
    assert repository.query().json["served_by"] == "process"
    assert repository.processes() == []
    repository.systemctl("start", repository.units[0])
    assert repository.served_by() == "daemon"


# Repositories


@pytest.mark.parametrize("alive", [False, True], ids=["without a daemon", "under a live daemon"])
def test_git_clean_costs_a_rebuild_and_no_service(repository: Repository, alive: bool) -> None:
    """It takes index, settings and the link with it; the address lies elsewhere."""
    if alive:
        assert repository.served_by() == "daemon"
    repository.git("clean", "-fdx")
    assert not (repository.outside / ".code-indexer").exists()
    answer = repository.query()
    if answer.code != 0:
        assert (answer.code, answer.json["error"]["code"]) == (3, "not-indexed")
        if answer.json["error"]["next_step"] == "cidx index":
            repository.done("index")
    wait_for(lambda: repository.query().code == 0, what="the index to be there again")
    assert repository.served_by() == "daemon"
    repository.cidx("service", "repair")
    assert str((repository.outside / ".code-indexer/daemon.sock").readlink()) == repository.socket


@pytest.mark.parametrize("alive", [False, True], ids=["without a daemon", "under a live daemon"])
def test_moved_repository_answers_and_its_old_service_goes(
    repository: Repository, make: Callable[..., Repository], alive: bool
) -> None:
    if alive:
        assert repository.served_by() == "daemon"
    moved = make("elsewhere")
    shutil.rmtree(moved.outside)
    repository.user.done("mv", repository.root, moved.root)
    assert moved.served_by() == "process"
    missing = repository.user.run("cidx", "-C", repository.root, "query", "needle")
    assert missing.code != 0
    assert missing.err
    assert repository.root in repository.user.done("cidx", "service", "list")
    repository.user.done("cidx", "service", "repair", "--all")
    assert repository.root not in repository.user.done("cidx", "service", "list")
    assert repository.processes() == []
    assert not repository.has_socket()
    moved.install()
    assert moved.served_by() == "daemon"


def test_service_of_a_deleted_repository_answers_an_error(repository: Repository) -> None:
    """Whoever still knows the address is told; nothing crashes in a loop."""
    shutil.rmtree(repository.outside)
    program = (
        "import rpyc.utils.factory as factory, sys;"
        "print(factory.unix_connect(sys.argv[1]).root.query(sys.argv[2], 'needle'))"
    )
    python = f"{repository.user.home}/.local/share/cidx/venv/bin/python"
    answer = repository.user.run(python, "-c", program, repository.socket, repository.root)
    assert answer.took_s < PROMISE_S
    assert answer.code == 0, answer
    assert answer.json["error"]["next_step"]
    assert repository.state()["service.NRestarts"] == "0"
