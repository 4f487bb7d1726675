"""Large repositories: the ways of finding near vectors agree, whatever the filter. Their limits are made small here."""

import importlib.util

import pytest

from cidx.search import retrieve
from cidx.store import graph, layout, vectors
from cidx.store.follower import Follower
from tests.kit import Tree

TOPICS = [
    "password",
    "session",
    "render",
    "socket",
    "vector",
    "parser",
    "migration",
    "cache",
    "signal",
    "form",
]
WORDS = [
    "load",
    "store",
    "check",
    "expire",
    "merge",
    "split",
    "count",
    "open",
    "close",
    "hash",
    "list",
    "walk",
]
QUERIES = ["expire session", "check password hash", "walk the parser", "cache", "merge and split vectors"]

needs_hnswlib = pytest.mark.skipif(
    importlib.util.find_spec("hnswlib") is None, reason="hnswlib is not installed"
)


def source(number: int) -> str:
    topic, first, second = TOPICS[number % 10], WORDS[number // 10 % 12], WORDS[number // 120 % 12]
    return (
        f"def {first}_{topic}_{number}({second}, {topic}):\n    return {second}.{first}({topic}, {number})\n"
    )


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    tree = Tree(tmp_path_factory.mktemp("large"))
    tree.write({f"{TOPICS[n % 10]}/m{n}.{'py' if n % 5 else 'go'}": source(n) for n in range(1300)}).commit()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "WORTH_A_GRAPH", 1000)
        tree.index()
    return tree


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieve, "_DEPTH", 30)
    monkeypatch.setattr(vectors, "_SCORED_LEAST", 150)
    monkeypatch.setattr(vectors, "_SCORED_EACH", 5)
    monkeypatch.setattr(graph, "_FOLLOWED_LEAST", 150)


FILTERS: list[tuple[str, ...]] = [
    (),
    ("--language", "python"),
    ("--language", "go"),
    ("--path-filter", "session/"),
    ("--exclude-path", "cache/"),
    ("--path-filter", "session/m51.py"),
]


@pytest.mark.parametrize("flags", FILTERS, ids=" ".join)
@pytest.mark.parametrize("way", [pytest.param("graph", marks=needs_hnswlib), "signs"])
@pytest.mark.usefixtures("small_limits")
def test_every_way_finds_the_best_hits(
    large: Tree, way: str, flags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "signs":
        monkeypatch.setattr(graph, "find", lambda *_: None)
    hits = {query: large.query(query, "--semantic", *flags)["hits"] for query in QUERIES}
    monkeypatch.setattr(graph, "find", lambda *_: None)
    monkeypatch.setattr(vectors, "_SCORED_LEAST", 10_000)
    exact = {query: large.query(query, "--semantic", *flags)["hits"] for query in QUERIES}
    found = sum(hit in hits[query] for query in QUERIES for hit in exact[query])
    assert found >= 0.98 * sum(map(len, exact.values())) > 0


@pytest.mark.usefixtures("small_limits")
def test_filters_leave_out_and_never_reorder_in_a_large_set(large: Tree) -> None:
    for query in QUERIES:
        python = [hit for hit in large.query(query)["hits"] if hit["language"] == "python"]
        filtered = large.query(query, "-l", "30", "--language", "python")["hits"]
        assert [hit for hit in filtered if hit in python] == python


@needs_hnswlib
@pytest.mark.usefixtures("small_limits")
def test_an_index_of_many_chunks_has_a_graph_and_answers_without_it(large: Tree) -> None:
    with large.snapshot() as snapshot:
        assert snapshot.graph is not None
        assert snapshot.graph.rows == len(snapshot.vectors)
        file = snapshot.base.graph
    assert "ok       graph          links" in large.run("doctor").out
    before = large.query("expire session")["hits"]
    whole = file.read_bytes()
    file.write_bytes(whole[:1000])
    try:
        assert large.query("expire session")["hits"] == before
        told = large.run("doctor").out
        assert "problem  graph " in told
        assert "its size is wrong" in told
    finally:
        file.write_bytes(whole)


@needs_hnswlib
def test_a_missing_or_damaged_graph_is_built_by_the_next_index(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else is: the generation stays, and who has it open learns of the graph."""
    tree.write({f"m{n}.py": source(n) for n in range(60)}).commit()
    assert tree.index()["generation"] == 1
    monkeypatch.setattr(layout, "WORTH_A_GRAPH", 50)
    assert "there is none of 60 vectors" in tree.run("doctor").out
    for damage in (None, b"", b"noise" * 100):
        with tree.snapshot() as snapshot:
            if damage is not None:
                snapshot.base.graph.write_bytes(damage)
        follower = Follower(tree.repository.index_folder)
        summary = tree.index()
        assert (summary["generation"], summary["rebuilt"]) == (1, False)
        assert follower.has_passed(1)
        follower.close()
        with tree.snapshot() as snapshot:
            assert snapshot.graph is not None
            assert snapshot.graph.is_whole()


def test_what_keeps_a_graph_from_being_built_is_told(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.write({f"m{n}.py": source(n) for n in range(60)}).commit()
    monkeypatch.setattr(layout, "WORTH_A_GRAPH", 50)
    monkeypatch.setattr(graph, "is_possible", lambda: True)
    monkeypatch.setattr(graph, "build", lambda *_, **__: "No space left on device")
    ran = tree.run("index")
    assert ran.code == 0
    assert "no graph was built (No space left on device)" in ran.err
    monkeypatch.setattr(graph, "is_possible", lambda: False)
    assert tree.run("index").err == ""
    assert "install.sh installs hnswlib" in tree.run("doctor").out


def test_a_filter_is_worked_out_once_a_generation(large: Tree) -> None:
    asked: list[int] = []
    with large.snapshot() as snapshot:
        for number in (1, 2, 1):
            assert snapshot.kept(number, lambda: asked.append(1) or len(asked)) in (1, 2)
        assert len(asked) == 2
        for number in range(3, 30):
            snapshot.kept(number, lambda: 0)
        snapshot.kept(1, lambda: asked.append(1))
    assert len(asked) == 3
