"""How a first index comes to be: in steps, or from another worktree."""

from pathlib import Path

import pytest

from cidx.index import indexer
from cidx.index.indexer import Job
from cidx.index.progress import Progress
from cidx.repository import repository as repositories
from cidx.repository.settings import IndexSettings
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
