"""How a first index comes to be: in steps, or from another worktree."""

import contextlib
import threading
from pathlib import Path

import pytest

from cidx.api.errors import CidxError, Locked
from cidx.index import indexer, linking
from cidx.index.indexer import Job
from cidx.index.progress import Progress
from cidx.repository import lock
from cidx.repository import repository as repositories
from cidx.repository.settings import IndexSettings
from cidx.store import layout
from cidx.text import embedder
from tests.kit import Tree, content


def job(**more: object) -> Job:
    return Job(settings=IndexSettings(), embedder=embedder.packaged(), **more)  # type: ignore[arg-type]


def test_a_first_index_is_searched_in_steps_and_ends_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three batches of a hundred files."""
    files = {f"d{n % 7}/f{n}.py": f"def f{n}():\n    return {n}\n" for n in range(250)}
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    stepwise, whole = (Tree(tmp_path / name).write(files) for name in ("one", "two"))
    seen: list[int] = []

    def report(progress: Progress) -> None:
        if progress.phase == "indexing" and progress.files_done:
            with stepwise.snapshot() as snapshot:
                seen.append(snapshot.catalogue.counts()[0])

    monkeypatch.setattr(indexer, "_FIRST_STEP_S", 0.0)
    indexer.run(stepwise.repository, job(report=report))
    monkeypatch.setattr(indexer, "_FIRST_STEP_S", 60.0)
    indexer.run(whole.repository, job())
    assert seen == [100, 200]
    with stepwise.snapshot() as one, whole.snapshot() as other:
        assert content(one) == content(other)


def test_a_first_index_that_is_nearly_complete_is_not_published_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 100.0
    monkeypatch.setattr(indexer.time, "monotonic", lambda: now_s)
    monkeypatch.setattr(indexer, "_FIRST_STEP_S", 3.0)
    steps = indexer._Steps(10)
    now_s += 2.9
    assert not steps.is_due(1)
    now_s += 0.1
    assert not steps.is_due(6)
    assert steps.is_due(4)
    steps.take()
    now_s += 5.9
    assert not steps.is_due(5)
    now_s += 0.1
    assert steps.is_due(5)


def test_a_worktree_begins_with_the_index_of_another(tree: Tree, tmp_path: Path) -> None:
    tree.write({f"f{n}.py": f"def f{n}():\n    return {n}\n" for n in range(30)}).commit()
    tree.index()
    other = tmp_path / "other"
    tree.git("worktree", "add", "-q", str(other), "-b", "other")
    (other / "f0.py").write_text("def changed():\n    return 0\n")
    (other / "f1.py").unlink()
    repository = repositories.at(other, tree.users)
    summary = indexer.run(repository, job())
    assert (summary.added, summary.changed, summary.removed, summary.embedded) == (0, 1, 1, 1)
    assert not summary.rebuilt
    again = indexer.run(repository, job(clear=True))
    assert (again.files, again.chunks) == (summary.files, summary.chunks)


def test_a_worktree_whose_others_have_no_index_begins_anew(tree: Tree, tmp_path: Path) -> None:
    tree.write({"a.py": "def a(): ...\n"}).commit()
    tree.git("worktree", "add", "-q", str(tmp_path / "other"), "-b", "other")
    assert indexer.run(repositories.at(tmp_path / "other", tree.users), job()).rebuilt


def test_what_a_path_held_last_is_known_when_it_comes_back(tree: Tree) -> None:
    """Also after other changes; nothing of it is parsed again, so a file has the id that its symbols lie under."""
    old = {
        f"f{n}.py": f"import os\n\ndef f{n}():\n    return os.getpid()\n\ndef g{n}(): ...\n"
        for n in range(20)
    }
    tree.write(old).index()
    first = ids(tree)
    with tree.snapshot() as snapshot:
        before = content(snapshot)
    for change in ({"f1.py": "def other():\n    return 1\n"}, {"f2.py": "def more():\n    return 2\n"}):
        tree.write(change).index()
    (tree.root / "f3.py").unlink()
    tree.index()
    assert set(ids(tree)) == set(first) - {b"f3.py"}
    assert {path for path, id_ in ids(tree).items() if id_ != first[path]} == {b"f1.py", b"f2.py"}
    summary = tree.write(old).index()
    assert (summary["added"], summary["changed"], summary["embedded"]) == (1, 2, 0)
    assert ids(tree) == first
    with tree.snapshot() as snapshot:
        assert content(snapshot) == before
        assert snapshot.catalogue.defining("f3", most=9)
        assert len(snapshot.catalogue.references("getpid")) == 20


def test_what_a_path_held_long_ago_is_forgotten(tree: Tree) -> None:
    """When a quarter of the files has been replaced; what was replaced last is known all the same."""
    old = {f"f{n}.py": f"def f{n}():\n    return {n}\n" for n in range(8)}
    tree.write(old).index()
    first = ids(tree)
    for n in range(3):
        tree.write({f"f{n}.py": f"def other{n}():\n    return {n}\n"}).index()
    tree.write(old).index()
    assert {path for path, id_ in ids(tree).items() if id_ == first[path]} == first.keys() - {
        b"f0.py",
        b"f1.py",
    }
    with tree.snapshot() as snapshot:
        now = content(snapshot)
    assert tree.index("--clear")["rebuilt"]
    with tree.snapshot() as snapshot:
        assert content(snapshot) == now


def ids(tree: Tree) -> dict[bytes, int]:
    with tree.snapshot() as snapshot:
        return {row.path: row.id for row in snapshot.catalogue.files()}


def test_what_progress_counts_never_falls(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever there is to do: new, changed and touched files, those that are gone, and a graph at the end."""
    monkeypatch.setattr(layout, "WORTH_A_GRAPH", 10)
    tree.write({f"f{n}.py": f"def f{n}():\n    return {n}\n" for n in range(250)}).index()
    for n in range(40):
        (tree.root / f"f{n}.py").unlink()
    (tree.root / "f50.py").touch()
    tree.write({f"f{n}.py": f"def other{n}():\n    return {n}\n" for n in range(100, 300)})
    said: list[Progress] = []
    summary = indexer.run(tree.repository, job(report=said.append))
    linking.link(tree.repository, summary, report=said.append, cancelled=threading.Event())
    counted = [progress for progress in said if progress.files_total]
    assert {progress.files_total for progress in counted} == {241}
    assert {progress.phase.partition(",")[0] for progress in counted} == {
        "indexing",
        "publishing",
        "linking vectors",
    }
    for name in ("files_done", "chunks"):
        values = [getattr(progress, name) for progress in said]
        assert values == sorted(values)
    assert (counted[0].files_done, counted[-1].files_done) == (40, 241)


def test_what_is_left_to_do_is_taken_over_together_with_the_lock(tree: Tree) -> None:
    """What was published is found meanwhile, by readers that begin then too."""
    tree.write({"a.py": "def a(): ...\n"}).index()
    tree.write({"a.py": "def other(): ...\n"})
    repository, later = tree.repository, contextlib.ExitStack()
    indexer.run(repository, job(later=later))
    assert tree.paths("other") == ["a.py"]
    assert lock.holder(repository.folder)
    assert not lock.is_held_by_another(repository.folder)
    with pytest.raises(Locked):
        indexer.run(repository, job(wait=False))
    later.close()
    assert not indexer.run(repository, job(wait=False)).changed


def test_a_run_that_fails_leaves_nothing_to_do(tree: Tree) -> None:
    tree.write({"a.py": "def a(): ...\n"}).index()
    tree.write({"a.py": "def other(): ...\n"})
    cancelled, later = threading.Event(), contextlib.ExitStack()
    cancelled.set()
    with pytest.raises(CidxError, match="interrupted"):
        indexer.run(tree.repository, job(cancelled=cancelled, later=later))
    assert not lock.holder(tree.repository.folder)
    assert tree.paths("other") == ["a.py"]
