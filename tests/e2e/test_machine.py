"""The machine that the tests of the service run on: complete, and closed."""

import os
import platform
import pwd

import pytest

from tests.e2e.machine import Machine, User

pytestmark = pytest.mark.xdist_group("systemd")


def test_user_has_a_manager_a_bus_and_a_journal(machine: Machine) -> None:
    dev = machine.users["dev"]
    dev.wait_for_manager()
    dev.done("systemd-run", "--user", "--wait", "--unit", "greeting", "echo", "hello from the manager")
    assert "hello from the manager" in dev.done(
        "journalctl", "--user", "--user-unit", "greeting", "--output", "cat"
    )


@pytest.mark.parametrize(
    "attempt",
    [
        "touch /usr/cidx-was-here",
        "echo 1 >/proc/sys/kernel/printk",
        f"touch {os.path.dirname(__file__)}/cidx-was-here",
    ],
    ids=["programs", "kernel", "checkout"],
)
def test_even_its_root_can_not_write_outside(machine: Machine, attempt: str) -> None:
    answer = machine.run("sh", "-c", attempt)
    assert answer.code != 0
    # A checkout in one of the folders that are replaced isn't there at all.
    assert "Read-only file system" in answer.err or "No such file or directory" in answer.err


def test_what_it_writes_stays_in_there(machine: Machine) -> None:
    places = ("/etc/cidx-was-here", "/var/cidx-was-here", "/tmp/cidx-was-here", "/dev/cidx-was-here")
    assert machine.run("touch", *places).code == 0
    assert machine.run("hostname").out == "cidx-test\n"
    assert machine.run("hostname").out != platform.node()
    for place in places:
        assert not os.path.exists(place)
    with pytest.raises(KeyError):
        pwd.getpwuid(machine.users["dev"].uid)


def test_its_processes_are_seen_and_end_with_it(machine: Machine) -> None:
    """Across a reboot, which also shows that files stay and what was in memory goes."""
    dev = machine.users["dev"]
    dev.wait_for_manager()
    dev.write(f"{dev.home}/kept", "kept")
    dev.done("touch", f"{dev.runtime}/lost")
    machine.reboot()
    dev.wait_for_manager()
    assert dev.done("cat", "kept") == "kept"
    assert dev.run("test", "-e", f"{dev.runtime}/lost").code == 1


def test_installed_cidx_answers(dev: User) -> None:
    assert dev.done("cidx", "--version").startswith("cidx ")
