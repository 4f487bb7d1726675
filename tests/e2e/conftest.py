"""One machine for all tests of the service: booted once, with one user who has cidx installed.

`CIDX_E2E=required` turns the skip, where no machine can be booted, into a failure.
"""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.kit import Repository
from tests.e2e.machine import (
    CHECKOUT,
    Machine,
    User,
    build_wheel,
    install,
    put_in_place,
    renamed,
    why_impossible,
)

NUMBERS = itertools.count(1)


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
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, as it is when the tests begin."""
    return build_wheel(tmp_path_factory.mktemp("wheel"), CHECKOUT)


@pytest.fixture(scope="session")
def dev(machine: Machine, built: Path) -> User:
    """A user who has a manager, and cidx on PATH."""
    user = machine.users["dev"]
    install(built, user)
    user.wait_for_manager()
    return user


@pytest.fixture
def upgrade(dev: User, built: Path, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Replaces the installed package, by pip, with the same under another version; taken back at the end."""

    def to(version: str) -> None:
        put_in_place(renamed(built, version, tmp_path), dev)

    yield to
    put_in_place(built, dev)


@pytest.fixture
def make(dev: User) -> Iterator[Callable[..., Repository]]:
    """Makes repositories, by name; of their services and files nothing is left."""
    made = []

    def make_one(name: str = "", files: dict[str, str] | None = None) -> Repository:
        # Names of their own: what the journal says of one test's repository is not of another's.
        made.append(Repository(dev, name or f"repository-{next(NUMBERS)}", files))
        return made[-1]

    yield make_one
    for repository in made:
        # Shown where the test has failed.
        print(dev.run("journalctl", "--user", "--user-unit", f"cidx-{repository.id}.*").out)
        repository.remove()


@pytest.fixture
def repository(make: Callable[..., Repository]) -> Repository:
    """A repository with an index and a service; its daemon stays until told otherwise."""
    made = make()
    made.done("index")
    made.install()
    return made
