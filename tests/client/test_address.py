"""Which root a working directory has, and where its daemon would listen."""

import os
from pathlib import Path

import pytest

from cidx.client import address


def make(place: Path, *folders: str) -> Path:
    for folder in folders:
        (place / folder).mkdir(parents=True)
    return place


def check(
    place: Path, folders: list[str], start: str, expected: str | None, *, home: str = "elsewhere"
) -> None:
    make(place, *folders, *([] if start in folders or (place / start).exists() else [start]))
    found = address.find_root(str(place / start), home=str(place / home))
    assert found == (str(place / expected) if expected is not None else None)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def test_git_top_level_from_a_subfolder(place: Path) -> None:
    check(place, ["r/.git", "r/a/b"], "r/a/b", "r")


def test_a_folder_of_ours_inside_git_comes_before_the_top_level(place: Path) -> None:
    check(place, ["r/.git", "r/a/.code-indexer", "r/a/b"], "r/a/b", "r/a")


def test_the_nearest_git_ends_the_search(place: Path) -> None:
    check(place, ["r/.code-indexer", "r/.git", "r/nested/.git", "r/nested/a"], "r/nested/a", "r/nested")


def test_outside_git_the_nearest_folder_of_ours(place: Path) -> None:
    check(place, ["p/.code-indexer", "p/a"], "p/a", "p")


def test_home_and_above_do_not_swallow_everything(place: Path) -> None:
    check(place, ["home/.code-indexer", ".code-indexer", "home/x"], "home/x", None, home="home")


def test_a_home_under_git_is_a_repository(place: Path) -> None:
    check(place, ["home/.git", "home/x"], "home/x", "home", home="home")


def test_no_repository(place: Path) -> None:
    check(place, ["x"], "x", None)


def test_a_link_named_like_our_folder_does_not_count(place: Path) -> None:
    make(place, "p/a", "target")
    (place / "p/.code-indexer").symlink_to(place / "target")
    assert address.find_root(str(place / "p/a"), home="/nonexistent") is None


def test_a_linked_working_directory_is_resolved(place: Path) -> None:
    make(place, "r/.git", "r/a")
    (place / "link").symlink_to(place / "r/a")
    assert address.find_root(str(place / "link"), home="/nonexistent") == str(place / "r")


def test_a_worktree_has_a_git_file(place: Path) -> None:
    make(place, "w/a")
    (place / "w/.git").write_text("gitdir: /elsewhere\n")
    assert address.find_root(str(place / "w/a"), home="/nonexistent") == str(place / "w")


@pytest.mark.parametrize(
    "path",
    ["a/b", "up/b", "there/b", "there/../a", "a/./b//", "twice/b", "gone/x/../y", "dangling", "a/b/../.."],
)
def test_links_are_followed_as_the_system_does(place: Path, path: str) -> None:
    make(place, "a/b/c", "d")
    (place / "up").symlink_to("a/b/../../a")
    (place / "there").symlink_to(place / "d/../a")
    (place / "twice").symlink_to("there")
    (place / "dangling").symlink_to("nothing/here")
    where = f"{place}/{path}"
    assert address.find_root(where, home="/nonexistent") is None
    make(place, ".git")
    assert address.find_root(where, home="/nonexistent") == str(place)
    assert address.repository_id(where) == address.repository_id(os.path.realpath(where))


def test_links_in_a_circle_end(place: Path) -> None:
    (place / "one").symlink_to("two")
    (place / "two").symlink_to("one")
    assert address.find_root(str(place / "one"), home="/nonexistent") is None


def test_the_id_is_of_the_real_path(place: Path) -> None:
    make(place, "r")
    (place / "link").symlink_to(place / "r")
    assert address.repository_id(str(place / "link")) == address.repository_id(str(place / "r"))
    assert len(address.repository_id(str(place / "r"))) == 16


def test_the_socket_lies_in_a_runtime_folder_of_ours(place: Path) -> None:
    make(place, "run")
    path = address.socket_path(
        str(place), environment={"XDG_RUNTIME_DIR": str(place / "run")}, home=str(place)
    )
    assert path == f"{place}/run/cidx/{address.repository_id(str(place))}.sock"


def test_a_runtime_folder_that_is_not_there_is_not_used(place: Path) -> None:
    path = address.socket_path(
        str(place), environment={"XDG_RUNTIME_DIR": str(place / "gone")}, home=str(place)
    )
    assert not path.startswith(str(place / "gone"))
