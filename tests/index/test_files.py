"""Which files a repository has, with git and without."""

import os
from pathlib import Path

import pytest

from cidx.api.errors import CidxError, Code
from cidx.index.files import Listing
from tests.kit import Tree


def listed(tree: Tree, *, exclude: tuple[str, ...] = ()) -> list[str]:
    with Listing(tree.repository) as listing:
        return [entry.path.decode() for entry in listing.entries(exclude=exclude)]


@pytest.mark.parametrize("kind", ["git", "walk"])
def test_ignored_files_are_left_out_and_the_rest_is_there(kind: str, tree: Tree, tmp_path: Path) -> None:
    if kind == "walk":
        tree = Tree(tmp_path / "plain", git=False)
        tree.run("init")
    tree.write(
        {
            ".gitignore": "*.log\nbuild/\n",
            "a.py": "", "b.log": "", "build/c.py": "", "sub/.gitignore": "!keep.log\n/d.py\n",
            "sub/keep.log": "", "sub/d.py": "", "sub/e/d.py": "", ".hidden/f.py": "",
        }
    )  # fmt: skip
    expected = [".gitignore", ".hidden/f.py", "a.py", "sub/.gitignore", "sub/e/d.py", "sub/keep.log"]
    assert listed(tree) == expected


def test_tracked_files_are_listed_even_when_ignored(tree: Tree) -> None:
    tree.write({"a.log": "x"}).commit()
    tree.write({".gitignore": "*.log\n"})
    assert listed(tree) == [".gitignore", "a.log"]


def test_deleted_files_are_not_listed(tree: Tree) -> None:
    tree.write({"a.py": "", "b.py": ""}).commit()
    (tree.root / "a.py").unlink()
    assert listed(tree) == ["b.py"]


def test_a_conflict_lists_a_file_once(tree: Tree) -> None:
    tree.write({"a.py": "1\n"}).commit()
    tree.git("checkout", "-q", "-b", "other")
    tree.write({"a.py": "2\n"}).commit()
    tree.git("checkout", "-q", "main")
    tree.write({"a.py": "3\n"}).commit()
    with pytest.raises(Exception, match="merge"):
        tree.git("merge", "-q", "other")
    assert listed(tree) == ["a.py"]


def test_cidxignore_lies_on_top_nested_too(tree: Tree) -> None:
    tree.write(
        {
            ".cidxignore": "*.gen.py\n",
            "a.gen.py": "",
            "x/.cidxignore": "!b.gen.py\n",
            "x/b.gen.py": "",
            "c.py": "",
        }
    )
    tree.commit()
    assert listed(tree) == [".cidxignore", "c.py", "x/.cidxignore", "x/b.gen.py"]


def test_a_cidxignore_that_git_ignores_still_counts(tree: Tree) -> None:
    tree.write({".gitignore": ".cidxignore\n", ".cidxignore": "a.py\n", "a.py": "", "b.py": ""})
    assert listed(tree) == [".gitignore", "b.py"]


@pytest.mark.parametrize("kind", ["git", "walk"])
def test_links_and_special_files_are_not_followed(kind: str, tree: Tree, tmp_path: Path) -> None:
    if kind == "walk":
        tree = Tree(tmp_path / "plain", git=False)
        tree.run("init")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("x")
    tree.write({"a.py": "", "d/b.py": ""})
    (tree.root / "link.py").symlink_to(outside / "secret.py")
    (tree.root / "loop").symlink_to(tree.root)
    (tree.root / "out").symlink_to(outside)
    os.mkfifo(tree.root / "fifo")
    assert listed(tree) == ["a.py", "d/b.py"]


def test_a_folder_that_became_a_link_leads_nowhere(tree: Tree, tmp_path: Path) -> None:
    """git's index still names d/secret.py, but d now leads out of the repository."""
    tree.write({"d/secret.py": "mine"}).commit()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("not mine")
    (tree.root / "d/secret.py").unlink()
    (tree.root / "d").rmdir()
    (tree.root / "d").symlink_to(outside)
    assert listed(tree) == []


def test_a_folder_of_ours_below_git_is_the_root(tree: Tree) -> None:
    tree.write({"top.py": "", "sub/a.py": "", "sub/b/c.py": ""}).commit()
    (tree.root / "sub/.code-indexer").mkdir(mode=0o700)
    ran = tree.run("index", "--json", directory=tree.root / "sub/b")
    assert ran.json["repository"] == str(tree.root / "sub")
    assert ran.json["files"] == 2


def test_our_own_folder_is_never_listed(tree: Tree) -> None:
    tree.write({"a.py": ""}).commit()
    tree.index()
    (tree.root / ".code-indexer/.gitignore").unlink()
    assert listed(tree) == ["a.py"]


def test_a_repository_without_commits(tree: Tree) -> None:
    tree.write({"a.py": ""})
    assert listed(tree) == ["a.py"]


def test_what_a_hook_says_of_its_repository_does_not_count(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.write({"a.py": ""})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere/index"))
    assert listed(tree) == ["a.py"]


def test_a_repositorys_own_settings_run_no_program(tree: Tree, tmp_path: Path) -> None:
    tree.write({"a.py": ""})
    program = tmp_path / "evil"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    tree.git("config", "core.fsmonitor", str(program))
    assert listed(tree) == ["a.py"]
    assert not (tmp_path / "ran").exists()


def test_a_broken_git_is_explained(tree: Tree) -> None:
    (tree.root / ".git/HEAD").write_text("nonsense")
    with pytest.raises(CidxError) as caught:
        listed(tree)
    assert caught.value.code is Code.GIT_REFUSED


def test_without_git_installed_the_tree_is_walked(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.write({".gitignore": "*.log\n", "a.py": "", "b.log": ""})
    monkeypatch.setenv("PATH", str(tmp_path))
    assert listed(tree) == [".gitignore", "a.py"]
