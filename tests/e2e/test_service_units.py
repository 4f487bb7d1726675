"""What is installed: files that systemd has nothing to say about, protections that hold, and nothing after all."""

import json
import os
from collections.abc import Callable

import pytest

from tests.e2e.kit import Repository
from tests.e2e.machine import User, wait_for

pytestmark = pytest.mark.xdist_group("systemd")

NAMES = [
    "my rép 100%",
    'it\'s "mean" \\ $HOME ${USER} $$ %t %h %% [brackets] {braces}; *?!&|<>#',
    "-dash/日本語" + "/deeper" * 30,
]


@pytest.mark.parametrize("name", NAMES)
def test_repository_of_any_name_is_served_and_its_units_are_silent(
    make: Callable[..., Repository], name: str
) -> None:
    repository = make(name)
    repository.done("index")
    repository.install()
    assert repository.served_by() == "daemon"
    paths = [f"{repository.unit_folder}/{unit}" for unit in repository.units]
    verified = repository.user.run("systemd-analyze", "--user", "verify", *paths)
    assert (verified.code, verified.out, verified.err) == (0, "", "")
    assert not [
        record
        for record in repository.user.done("journalctl", "--user", "--output", "cat").splitlines()
        if repository.id in record and ("ignoring" in record or "Failed" in record)
    ]
    repository.done("service", "uninstall")
    assert not repository.has_socket()


def test_description_names_the_repository(repository: Repository) -> None:
    shown = repository.user.units(*repository.units, properties="Description")
    assert all(repository.name in shown[f"{suffix}.Description"] for suffix in ("socket", "service"))


def test_changes_for_all_services_at_once(repository: Repository) -> None:
    """A drop-in of the name's beginning, as the units say."""
    folder = f"{repository.unit_folder}/cidx-.service.d"
    repository.user.write(f"{folder}/mine.conf", "[Service]\nTimeoutStopSec=3s\n")
    try:
        repository.systemctl("daemon-reload")
        assert repository.state("TimeoutStopUSec")["service.TimeoutStopUSec"] == "3s"
    finally:
        repository.user.done("rm", "-r", folder)
        repository.systemctl("daemon-reload")


def test_installing_again_changes_nothing_and_disturbs_nobody(repository: Repository) -> None:
    assert repository.served_by() == "daemon"
    before, pid = listing(repository.user), repository.pid
    assert "already installed" in repository.install().out
    assert listing(repository.user) == before
    assert repository.pid == pid


# Uninstalling


def listing(user: User) -> dict[str, tuple[int, int, str]]:
    """Every file of the user: kind and rights, owner, content."""
    found = {}
    for place in (user.home_outside, user.outside(user.runtime)):
        for path in [place, *place.rglob("*")]:
            status = path.lstat()
            content = ""
            if path.is_symlink():
                content = os.readlink(path)
            elif path.is_file() and not path.is_relative_to(user.home_outside / ".local"):
                content = path.read_bytes().hex()
            found[str(path.relative_to(place.parent))] = (status.st_mode, status.st_uid, content)
    # What Python caches beside the installed package, and systemd for those who ask it.
    return {path: about for path, about in found.items() if not path.endswith((".pyc", "__pycache__"))}


def changes(before: dict[str, tuple[int, int, str]], after: dict[str, tuple[int, int, str]]) -> list[str]:
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def test_uninstalled_service_leaves_the_index_and_nothing_else(make: Callable[..., Repository]) -> None:
    """After a life with queries, a crash, and an edit; byte for byte."""
    repository = make()
    repository.done("index")
    before = listing(repository.user)
    repository.install()
    assert repository.served_by() == "daemon"
    assert changes(before, listing(repository.user))
    repository.done("service", "uninstall")
    assert changes(before, listing(repository.user)) == []
    assert repository.processes() == []
    shown = repository.state("LoadState,ActiveState")
    assert set(shown.values()) >= {"not-found", "inactive"}
    assert "loaded" not in shown.values()
    assert repository.served_by() == "process"


def test_uninstalled_service_of_an_unindexed_repository_leaves_nothing_at_all(
    make: Callable[..., Repository],
) -> None:
    repository = make()
    before = listing(repository.user)
    repository.install()
    assert repository.query().code in (0, 3)
    repository.systemctl("stop", repository.units[1])
    repository.done("service", "uninstall")
    assert [
        path
        for path in changes(before, listing(repository.user))
        # The daemon that was asked had begun to build an index.
        if ".code-indexer/index" not in path and not path.endswith("write.lock")
    ] in (
        [],
        # A daemon that has built an index in the meantime has given the folder a use of its own.
        [f"dev/{repository.name}/.code-indexer", f"dev/{repository.name}/.code-indexer/.gitignore"],
    )


# Protections

# What the service must not do, and how an attempt ends there. Outside of it all of them work: else they would show
# nothing.
FORBIDDEN = {
    "speaking IPv4": ("EAFNOSUPPORT", "socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()"),
    "speaking IPv6": ("EAFNOSUPPORT", "socket.socket(socket.AF_INET6, socket.SOCK_STREAM).close()"),
    "speaking netlink": ("EAFNOSUPPORT", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()"),
    "memory to write and execute": ("EPERM", "mmap.mmap(-1, 4096, prot=READ | WRITE | EXECUTE).close()"),
    "executing what was written": ("EPERM", "call('mprotect', written(), 4096, READ | EXECUTE)"),
    "setuid files": ("EPERM", "os.chmod(own, 0o4700)"),
    "setgid folders": ("EPERM", "os.chmod(os.path.dirname(own), 0o2700)"),
    "user namespaces": ("EPERM", "call('unshare', 0x10000000)"),
    "tracing": ("EPERM", "in_a_child(lambda: call('ptrace', 0, 0, None, None))"),
    "another personality": ("EPERM", "call('personality', 0x0040000)"),
}
PROBE = """\
import ctypes, errno, json, mmap, os, socket, sys, tempfile

READ, WRITE, EXECUTE = mmap.PROT_READ, mmap.PROT_WRITE, mmap.PROT_EXEC

def call(name, *arguments):
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    function.restype = ctypes.c_long
    ended = function(*arguments)
    if ended == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return ended

def written():
    return ctypes.c_void_p(call("mmap", None, 4096, READ | WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0))

def in_a_child(attempt):
    pid = os.fork()
    if not pid:
        try:
            attempt()
            os._exit(0)
        except OSError as error:
            os._exit(error.errno)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        raise OSError(code, os.strerror(code))

ended = {}
with tempfile.TemporaryDirectory(dir=os.environ["XDG_RUNTIME_DIR"]) as folder:
    own = os.path.join(folder, "own")
    open(own, "w").close()
    ended["rights of a new file"] = oct(os.stat(own).st_mode & 0o777)
    for name, (_, attempt) in json.loads(sys.argv[1]).items():
        try:
            eval(attempt)
            ended[name] = "done"
        except OSError as error:
            ended[name] = errno.errorcode[error.errno]
[line] = [line for line in open("/proc/self/status") if line.startswith("NoNewPrivs")]
ended["new privileges"] = "none" if line.split()[1] == "1" else "some"
print(json.dumps(ended))
"""
# Lines of the unit that are about being a daemon with a socket.
NOT_OF_THE_PROBE = ("Type=", "NotifyAccess=", "ExecStart=", "EnvironmentFile=", "Restart", "Watchdog")


def test_protections_of_the_installed_unit_hold(repository: Repository) -> None:
    """Not by systemd's score, which counts lines that it ignores in user units: by trying."""
    user = repository.user
    program, answers = f"{user.home}/probe.py", f"{user.runtime}/probe.json"
    user.write(program, PROBE)
    user.write(f"{user.home}/probe.json", json.dumps(FORBIDDEN))
    lines = user.done("cat", f"{repository.unit_folder}/{repository.units[1]}").splitlines()
    service = lines[lines.index("[Service]") :]
    python = f"{user.home}/.local/share/cidx/venv/bin/python"
    user.write(
        f"{repository.unit_folder}/probe.service",
        "\n".join(
            [
                *(line for line in service if not line.startswith(NOT_OF_THE_PROBE)),
                "Type=oneshot",
                f"StandardOutput=truncate:{answers}",
                f"ExecStart=/bin/sh -c 'exec {python} {program} \"$(cat {user.home}/probe.json)\"'",
                "",
            ]
        ),
    )
    repository.systemctl("daemon-reload")
    repository.systemctl("start", "probe.service")
    inside = json.loads(user.done("cat", answers))
    outside = json.loads(user.done(python, program, json.dumps(FORBIDDEN)))
    user.done("rm", program, f"{user.home}/probe.json", f"{repository.unit_folder}/probe.service")
    expected = {name: error for name, (error, _) in FORBIDDEN.items()}
    assert inside == expected | {"rights of a new file": "0o600", "new privileges": "none"}
    # Some kernels refuse these to everybody.
    outside.pop("user namespaces")
    expected.pop("user namespaces")
    assert outside == dict.fromkeys(expected, "done") | {
        "rights of a new file": "0o644",
        "new privileges": "some",
    }


# What people look at


def test_systemctl_status_shows_the_repository_and_what_it_does(repository: Repository) -> None:
    """The line of its own comes a little later than what it is about: it is not sent for every query."""
    assert repository.served_by() == "daemon"
    wait_for(
        lambda: "queries: 1," in repository.state("StatusText")["service.StatusText"],
        what="the query to be counted",
    )
    shown = repository.user.done("systemctl", "--user", "status", "--no-pager", *repository.units)
    assert "Active: active (running)" in shown
    assert repository.root in shown
    [line] = [line for line in shown.splitlines() if "Status: " in line]
    for words in ("generation", "2 files", "queries: 1", "leaves at"):
        assert words in line


def test_journal_has_a_record_for_each_query(repository: Repository) -> None:
    """With fields to filter by, where systemd-python is installed."""
    python = f"{repository.user.home}/.local/share/cidx/venv/bin/python"
    if repository.user.run(python, "-c", "import systemd.journal").code != 0:
        pytest.skip("systemd-python could not be built here")
    assert repository.served_by() == "daemon"
    [record] = repository.journal("CIDX_OP=query")
    assert record["CIDX_REPO"] in (repository.root, repository.id)
    assert float(record["CIDX_TOOK_MS"]) > 0
    assert record["CIDX_REQ"]
    assert record["PRIORITY"] == "6"
    assert record["CODE_FILE"].endswith(".py")
    assert "needle" not in json.dumps(record)


def test_logs_are_those_of_the_journal(repository: Repository) -> None:
    assert repository.served_by() == "daemon"
    repository.user.machine.run("journalctl", "--sync")
    assert "daemon ready" in repository.done("service", "logs").out
