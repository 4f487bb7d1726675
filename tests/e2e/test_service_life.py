"""The service of a repository from one end of its life to the other, under a real systemd."""

import itertools
import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.kit import PROMISE_S, Repository
from tests.e2e.machine import User, wait_for

pytestmark = pytest.mark.xdist_group("systemd")


def leaves_soon(repository: Repository) -> None:
    """A daemon that is idle leaves after 0.9 s."""
    repository.settings(ttl_minutes=0.015, eviction_check_interval_seconds=0.1)


def test_installed_service_is_a_private_socket_and_no_process(repository: Repository) -> None:
    socket = repository.user.outside(repository.socket)
    assert stat.filemode(socket.lstat().st_mode) == "srw-------"
    assert stat.filemode(socket.parent.lstat().st_mode) == "drwx------"
    link = repository.outside / ".code-indexer/daemon.sock"
    assert str(link.readlink()) == repository.socket
    assert repository.state()["socket.ActiveState"] == "active"
    assert repository.processes() == []


def test_first_query_wakes_the_daemon_and_the_next_ones_find_it_warm(repository: Repository) -> None:
    assert repository.served_by() == "daemon"
    pid = repository.pid
    assert [repository.served_by() for _ in range(3)] == ["daemon"] * 3
    assert repository.pid == pid
    assert repository.state()["service.SubState"] == "running"


def test_the_service_makes_the_index(make: Callable[..., Repository]) -> None:
    """Whatever its unit forbids, and for whoever asks first: a query, or `cidx index`, which only watches."""
    repository = make("made")
    repository.install()
    assert (repository.query().code, repository.pid > 0) == (3, True)
    summary = repository.done("index", "--json").json
    assert (summary["generation"], summary["files"]) == (1, 2)
    assert repository.served_by() == "daemon"
    repository.done("index", "--clear")
    repository.git("clean", "-fdxq")
    assert repository.query().code == 3
    wait_for(lambda: repository.query().code == 0, what="the index that is made anew")
    counted = json.loads(repository.done("metrics").out)
    assert counted["requests"]["index"] == 2
    assert counted["jobs"] == []


def test_idle_daemon_leaves_no_process_and_comes_back(repository: Repository) -> None:
    leaves_soon(repository)
    for _ in range(2):
        assert repository.served_by() == "daemon"
        repository.wait_until_gone()
        assert repository.has_socket()
        assert repository.state()["service.Result"] == "success"
    assert repository.served_by() == "daemon"


def test_no_query_is_lost_while_daemons_leave(repository: Repository) -> None:
    """Queries at about the time when the daemon leaves, through three of them."""
    leaves_soon(repository)
    first = repository.state("InvocationID")["service.InvocationID"]
    daemons = {first}
    waits = itertools.cycle([0.8, 0.85, 0.9, 0.95, 1.0])
    while len(daemons) < 4:
        assert repository.served_by() == "daemon"
        daemons.add(repository.state("InvocationID")["service.InvocationID"])
        repository.user.done("sleep", str(next(waits)))


def test_ten_repositories_at_once(make: Callable[..., Repository]) -> None:
    with ThreadPoolExecutor(10) as threads:
        repositories = list(threads.map(lambda number: make(f"many/{number}"), range(10)))
        list(threads.map(lambda repository: repository.done("index"), repositories))
        repositories[0].install(*(repository.root for repository in repositories))
        # A computer that is slow with ten daemons at once may answer some of the first ones without.
        assert {answer.code for answer in threads.map(Repository.query, repositories)} == {0}
        assert list(threads.map(Repository.served_by, repositories)) == ["daemon"] * 10
    assert len({repository.pid for repository in repositories}) == 10


def test_socket_is_there_again_after_a_reboot(repository: Repository) -> None:
    assert repository.served_by() == "daemon"
    repository.user.machine.reboot()
    repository.user.wait_for_manager()
    assert repository.has_socket()
    assert repository.processes() == []
    assert repository.served_by() == "daemon"


def test_logout_takes_everything_along_and_login_brings_it_back(repository: Repository) -> None:
    """Without lingering; in between, whoever still asks (a cron job) is answered by its own process."""
    user, machine = repository.user, repository.user.machine
    assert machine.run("loginctl", "disable-linger", user.name).code == 0
    try:
        user.wait_until_logged_out()
        assert repository.served_by() == "process"
        refused = repository.cidx("service", "install")
        assert (refused.code, refused.out) == (4, "")
        assert "loginctl enable-linger" in refused.err
        with user.logged_in():
            assert repository.served_by() == "daemon"
        user.wait_until_logged_out()
        assert repository.served_by() == "process"
    finally:
        assert machine.run("loginctl", "enable-linger", user.name).code == 0
        user.wait_for_manager()
    assert repository.served_by() == "daemon"


def test_daemon_in_the_foreground_makes_room_for_the_service(make: Callable[..., Repository]) -> None:
    repository = make()
    repository.done("index")
    foreground = repository.user.start("cidx", "daemon", "serve", directory=repository.root)
    assert foreground.stderr is not None
    assert "serving" in foreground.stderr.readline()
    assert repository.served_by() == "daemon"
    assert repository.processes() == []
    repository.install()
    foreground.communicate(timeout=PROMISE_S)
    assert foreground.returncode == 0
    assert repository.served_by() == "daemon"
    assert repository.pid


def test_setting_installs_and_removes_the_service(make: Callable[..., Repository]) -> None:
    repository = make()
    repository.done("init", "--daemon", "--ttl-minutes", "5")
    assert repository.has_socket()
    repository.done("index")
    assert repository.served_by() == "daemon"
    repository.done("config", "set", "daemon.enabled", "false")
    assert not repository.has_socket()
    assert repository.processes() == []
    assert repository.served_by() == "process"
    repository.done("config", "set", "daemon.enabled", "true")
    assert repository.served_by() == "daemon"


def test_terminal_hears_of_the_service_once_a_day(make: Callable[..., Repository]) -> None:
    repository = make("advised")
    repository.done("index")
    on_a_terminal = ("script", "--quiet", "--return", "--command", "cidx query needle", "/dev/null")
    shown = [repository.user.done(*on_a_terminal, directory=repository.root) for _ in range(2)]
    assert ["cidx service install" in text for text in shown] == [True, False]
    repository.user.done("rm", f"{repository.root}/.code-indexer/service-hint")
    assert repository.cidx("query", "needle").err == ""
    assert repository.cidx("query", "--standalone", "needle").err == ""


def test_warmed_up_service_has_its_index_open_before_the_first_query(make: Callable[..., Repository]) -> None:
    repository = make()
    repository.done("index")
    repository.install("--now")
    pid = repository.pid
    assert repository.served_by() == "daemon"
    assert repository.pid == pid


def test_upgraded_package_replaces_the_running_daemon(
    repository: Repository, upgrade: Callable[[str], None]
) -> None:
    """The old daemon finishes and leaves; nobody notices but by the new version."""
    assert repository.served_by() == "daemon"
    before = repository.pid
    upgrade("0.9.9")
    assert repository.done("--version").out == "cidx 0.9.9\n"
    assert repository.served_by() == "daemon"
    assert repository.pid != before
    assert repository.done("status", "--json").json["daemon"]["version"] == "0.9.9"
    assert repository.state()["service.Result"] == "success"


def test_first_queries_all_at_once_are_answered_by_one_daemon(repository: Repository) -> None:
    with ThreadPoolExecutor(20) as threads:
        assert set(threads.map(lambda _: repository.served_by(), range(20))) == {"daemon"}
    assert repository.pid


def test_python_programs_reach_the_daemon_too(dev: User, repository: Repository) -> None:
    """RPyC as it is, and no command of ours."""
    program = (
        "import json, rpyc.utils.factory as factory, sys;"
        "root = factory.unix_connect(sys.argv[1]).root;"
        "print(json.loads(root.query(sys.argv[2], 'needle'))['served_by'])"
    )
    python = f"{dev.home}/.local/share/cidx/venv/bin/python"
    answer = dev.run(python, "-c", program, repository.socket, repository.root)
    assert (answer.out, answer.err) == ("daemon\n", "")
    assert answer.took_s < PROMISE_S
