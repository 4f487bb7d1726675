"""Which files a repository has, with git and without."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cidx.api.errors import CidxError, Code
from cidx.index import indexer
from cidx.index.files import Listing
from cidx.repository.settings import IndexSettings
from cidx.text import embedder
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


def with_submodule(tree: Tree, tmp_path: Path) -> Tree:
    """`tree` gets `lib`, which has a submodule `deep` of its own; both have files that git ignores."""
    other = (
        Tree(tmp_path / "other").write({"lib.py": "def in_lib(): ...\n", ".gitignore": "*.log\n"}).commit()
    )
    deep = (
        Tree(tmp_path / "deep").write({"deep.py": "def in_deep(): ...\n", ".gitignore": "*.tmp\n"}).commit()
    )
    allowed = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    other.git(*allowed, str(deep.root), "deep")
    other.commit()
    tree.write({"a.py": "", ".gitignore": "*.bak\n"})
    tree.git(*allowed, str(other.root), "lib")
    tree.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive")
    return tree.commit()


def test_the_files_of_submodules_belong_to_the_repository(tree: Tree, tmp_path: Path) -> None:
    """As `git ls-files --recurse-submodules` has them, and what their own git would track besides."""
    with_submodule(tree, tmp_path)
    tracked = [path for path in tree.git("ls-files", "-z", "--recurse-submodules").split("\0") if path]
    assert listed(tree) == sorted(tracked)
    tree.write(
        {"lib/new.py": "", "lib/x.log": "", "lib/x.tmp": "", "lib/deep/x.tmp": "", "lib/deep/new.py": ""}
    )
    assert listed(tree) == sorted([*tracked, "lib/new.py", "lib/x.tmp", "lib/deep/new.py"])
    tree.index()
    assert tree.paths("in_deep", "--fts")[0] == "lib/deep/deep.py"


def test_a_submodule_is_a_repository_too(tree: Tree, tmp_path: Path) -> None:
    with_submodule(tree, tmp_path)
    inside = tree.run("index", "--json", directory=tree.root / "lib")
    assert inside.json["repository"] == str(tree.root / "lib")
    assert "lib/.code-indexer/.gitignore" not in listed(tree)


def test_a_submodule_that_is_not_here_has_no_files(tree: Tree, tmp_path: Path) -> None:
    with_submodule(tree, tmp_path)
    tree.git("submodule", "--quiet", "deinit", "--all", "--force")
    assert listed(tree) == [".gitignore", ".gitmodules", "a.py"]


def test_a_submodule_whose_git_is_broken_is_walked(tree: Tree, tmp_path: Path) -> None:
    with_submodule(tree, tmp_path)
    tree.write({"lib/.git": "gitdir: /nowhere\n", "lib/x.log": ""})
    assert listed(tree) == [
        ".gitignore", ".gitmodules", "a.py", "lib/.gitignore", "lib/.gitmodules", "lib/deep/.gitignore",
        "lib/deep/deep.py", "lib/lib.py",
    ]  # fmt: skip


def test_another_repository_inside_is_its_own(tree: Tree, tmp_path: Path) -> None:
    tree.write({"a.py": "", "inner/b.py": ""})
    tree.git("init", "-q", "inner")
    assert listed(tree) == ["a.py"]


def test_a_worktree_is_a_repository_of_its_own(tree: Tree, tmp_path: Path) -> None:
    tree.write({"a.py": "def first(): ...\n"}).commit()
    tree.index()
    tree.git("worktree", "add", "-q", "-b", "other", str(tree.root / "trees/other"))
    assert listed(tree) == ["a.py"]
    place = tree.root / "trees/other"
    (place / "b.py").write_text("def second(): ...\n")
    ran = tree.run("index", "--json", directory=place)
    assert (ran.json["repository"], ran.json["files"]) == (str(place), 2)
    assert tree.paths("second", "--fts") == []


def test_what_a_sparse_checkout_leaves_out_is_not_there(tree: Tree) -> None:
    tree.write({"a/x.py": "def in_a(): ...\n", "b/y.py": "def in_b(): ...\n", "c.py": ""}).commit()
    tree.git("sparse-checkout", "init", "--cone", "--sparse-index")
    tree.git("sparse-checkout", "set", "a")
    assert listed(tree) == ["a/x.py", "c.py"]
    first = tree.index()
    again = tree.index()
    assert (first["files"], again["removed"], again["generation"]) == (2, 0, first["generation"])
    tree.git("sparse-checkout", "set", "b")
    found = tree.index()
    assert (found["added"], found["removed"]) == (1, 1)
    assert tree.paths("in_b", "--fts") == ["b/y.py"]


def test_a_repository_without_commits_is_searched(tree: Tree) -> None:
    tree.write({"a.py": "def needle(): ...\n", ".gitignore": "b.py\n", "b.py": "def needle(): ...\n"})
    tree.index()
    assert tree.paths("needle", "--fts") == ["a.py"]


def test_an_index_that_somebody_else_has_packed_leads_nowhere(tree: Tree, tmp_path: Path) -> None:
    """git itself writes no such entries, but reads them."""
    (tree.root.parent / "secret.py").write_text("not ours")
    Tree(tree.root.parent / "xx" / "yy").write({"b.py": ""})
    tree.write({"xx/secret.py": "", "xx/.got/config": "", "a.py": ""}).commit()
    index = tree.root / ".git/index"
    packed = index.read_bytes()
    assert packed.count(b"xx/secret.py") == packed.count(b"xx/.got/config") == 1
    packed = packed.replace(b"xx/secret.py", b"../secret.py").replace(b"xx/.got/config", b"x/../.git/HEAD")
    index.write_bytes(packed[:-20] + hashlib.sha1(packed[:-20]).digest())
    (tree.root / "xx").rename(tree.root / "x")
    assert "../secret.py" in tree.git("ls-files")
    assert listed(tree) == ["a.py", "x/.got/config", "x/secret.py"]


NAMES = [
    b"with space.py", b"line\nbreak.py", b"caf\xe9.py", "größe.py".encode(), b'quo"te.py', b"back\\slash.py",
    b"-dash.py", b"*.py", b"[a].py", b":colon.py", b"tab\t.py", b"\xff\xfe/deep.py",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["git", "walk"])
def test_any_name_is_a_name(kind: str, tree: Tree, tmp_path: Path) -> None:
    if kind == "walk":
        tree = Tree(tmp_path / "plain", git=False)
        tree.run("init")
    tree.write({os.fsdecode(name): "def needle(): ...\n" for name in NAMES})
    with Listing(tree.repository) as listing:
        assert [entry.path for entry in listing.entries()] == sorted(NAMES)
    tree.index()
    ran = tree.run("query", "--json", "--limit", "0", "--fts", "needle")
    ran.out.encode("utf-8")
    assert sorted(os.fsencode(hit["path"]) for hit in ran.json["hits"]) == sorted(NAMES)
    quiet = tree.run("query", "--quiet", "--limit", "0", "--fts", "needle").out.splitlines()
    assert len(quiet) == len(NAMES)
    assert "line\\nbreak.py:1-1" in quiet
    assert tree.index()["generation"] == 1


def test_sockets_and_devices_are_no_files(
    tmp_path: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Tree(tmp_path / "plain", git=False)
    plain.run("init")
    for one in (tree, plain):
        one.write({"a.py": ""})
        monkeypatch.chdir(one.root)  # a socket's path is short
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("s.py")
        os.mkfifo("f.py")
        assert listed(one) == ["a.py"]


# Root may read anything, unless it gives that up.
_AS_ANYBODY = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all")


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root reads everything")
@pytest.mark.parametrize("kind", ["git", "walk"])
def test_what_can_not_be_read_is_counted_and_tried_again(kind: str, tree: Tree, tmp_path: Path) -> None:
    if kind == "walk":
        tree = Tree(tmp_path / "plain", git=False)
        tree.run("init")
    tree.write({"a.py": "", "b.py": "def needle(): ...\n", "closed/c.py": "", "closed/d.py": ""})
    if kind == "git":
        tree.commit()
    (tree.root / "b.py").chmod(0)
    (tree.root / "closed").chmod(0)
    command = [sys.executable, "-m", "cidx", "index", "--json"]
    environment = tree.process_environment(PYTHONPATH=str(Path(__file__).parents[2]))
    for _ in range(2):
        done = subprocess.run(
            [*(_AS_ANYBODY if os.geteuid() == 0 else ()), *command],
            cwd=tree.root, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        # With git the files of the folder are known, without it is the folder that can't be read.
        assert found["skipped"] == {"unreadable": 3 if kind == "git" else 2}
        assert found["generation"] == 1
    (tree.root / "b.py").chmod(0o600)
    (tree.root / "closed").chmod(0o700)
    assert tree.index()["files"] == 4
    assert tree.paths("needle", "--fts") == ["b.py"]


def test_nested_ignore_files_without_git(tmp_path: Path) -> None:
    tree = Tree(tmp_path, git=False)
    tree.run("init")
    tree.write(
        {
            ".gitignore": "*.log\n/out/\n!/out/kept.py\n**/cache/\n", "a.py": "", "x.log": "", "out/kept.py": "",
            "x/out/b.py": "", "x/.gitignore": "!x.log\n/y/*.py\n", "x/x.log": "", "x/y/c.py": "", "x/y/z/d.py": "",
            "x/cache/e.py": "", "x/y/.gitignore": "!c.py\n", "x/w/.gitignore": "*\n!.gitignore\n", "x/w/f.py": "",
        }
    )  # fmt: skip
    expected = [
        ".gitignore", "a.py", "x/.gitignore", "x/out/b.py", "x/w/.gitignore", "x/x.log", "x/y/.gitignore",
        "x/y/c.py", "x/y/z/d.py",
    ]  # fmt: skip
    assert listed(tree) == expected
    tree.git("init", "-q")
    assert listed(tree) == expected


def test_a_listing_that_is_older_than_the_index_removes_nothing(tree: Tree) -> None:
    """Somebody adds a file and indexes it while git looks for us."""
    tree.write({"a.py": ""})
    with Listing(tree.repository) as listing:
        listing.wait()
        tree.write({"b.py": "def needle(): ...\n"})
        tree.index()
        job = indexer.Job(settings=IndexSettings(), embedder=embedder.packaged(), listing=listing)
        summary = indexer.run(tree.repository, job)
    assert (summary.files, summary.removed) == (2, 0)
    assert tree.paths("needle", "--fts") == ["b.py"]
