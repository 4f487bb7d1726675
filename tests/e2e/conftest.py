"""One machine for all tests of the service: booted once, with one user who has cidx installed.

`CIDX_E2E=required` turns the skip, where no machine can be booted, into a failure.
"""

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.e2e.machine import Machine, User, build_wheel, install, why_impossible


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A running systemd. All tests that use it, or what is built on it, belong into the group `systemd`."""
    why = why_impossible()
    if why is not None:
        if os.environ.get("CIDX_E2E") == "required":
            pytest.fail(f"CIDX_E2E=required, and no systemd can be booted: {why}")
        pytest.skip(f"no systemd can be booted: {why}")
    base = tmp_path_factory.mktemp("machine")
    machine = Machine(base)
    machine.add_user("dev")
    try:
        machine.boot()
        machine.wait_until_running()
        yield machine
    finally:
        machine.shut_down()
        shutil.rmtree(base)


@pytest.fixture(scope="session")
def dev(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> User:
    """A user who has a manager, and cidx on PATH."""
    user = machine.users["dev"]
    install(build_wheel(tmp_path_factory.mktemp("wheel")), user)
    user.wait_for_manager()
    return user
