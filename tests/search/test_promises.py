"""What holds for every query, filter and limit, also where there are more chunks than ranking begins with."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cidx.search import retrieve
from tests.kit import Tree

TOPICS = ["session", "password", "template", "socket", "parser", "cache"]
VERBS = ["load", "expire", "render", "check", "merge"]
FILTERS: list[tuple[str, ...]] = [
    ("--language", "go"),
    ("--language", "python"),
    ("--path-filter", "session/"),
    ("--exclude-path", "tests/"),
    ("--path-filter", "*/m7.*"),
]
MODES = [(), ("--fts",), ("--semantic",)]

queries = st.lists(
    st.sampled_from([*TOPICS, *VERBS, "tests", "how", "SessionStore", "load_cache_3", "Parser"]),
    min_size=1,
    max_size=4,
).map(" ".join)
quick = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def function(number: int, topic: str) -> str:
    verb, other = VERBS[number % 5], TOPICS[number % 6]
    return (
        f"def {verb}_{topic}_{number}({other}):\n"
        f'    """{verb.capitalize()}s the {topic} of each {other}, as {VERBS[number // 5 % 5]} does."""\n'
        f"    return {other}.{verb}({number}, [{', '.join(TOPICS[: number % 4])}])\n\n\n" * (1 + number % 2)
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    tree = Tree(tmp_path_factory.mktemp("promises"))
    for number in range(48):
        topic = TOPICS[number % 6]
        folder = "tests" if number % 8 == 3 else topic
        name = f"{folder}/m{number}.{'go' if number % 5 == 0 else 'py'}"
        tree.write({name: "\n".join(function(number + 7 * step, topic) for step in range(1 + number % 5))})
    tree.write({f"copies/c{n}.py": "def copied(session):\n    return session\n" for n in range(6)}).commit()
    tree.index()
    return tree


@pytest.fixture(autouse=True)
def _few_first_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieve, "_DEPTH", 12)


def hits(tree: Tree, query: str, *flags: str) -> list[tuple[str, int, float]]:
    return [(hit["path"], hit["start_line"], hit["score"]) for hit in tree.query(query, *flags)["hits"]]


@quick
@given(query=queries, mode=st.sampled_from(MODES), limits=st.tuples(st.integers(1, 60), st.integers(1, 60)))
def test_a_limit_cuts_the_same_list(
    tree: Tree, query: str, mode: tuple[str, ...], limits: tuple[int, int]
) -> None:
    every = hits(tree, query, *mode, "-l", "0")
    for limit in limits:
        assert hits(tree, query, *mode, "-l", str(limit)) == every[:limit]


@quick
@given(query=queries, mode=st.sampled_from(MODES), flags=st.sampled_from(FILTERS), limit=st.integers(1, 40))
def test_a_filter_restricts_the_same_list(
    tree: Tree, query: str, mode: tuple[str, ...], flags: tuple[str, ...], limit: int
) -> None:
    every = hits(tree, query, *mode, "-l", "0")
    kept = set(hits(tree, query, *mode, *flags, "-l", "0"))
    assert [hit for hit in every if hit in kept] == hits(tree, query, *mode, *flags, "-l", "0")
    assert hits(tree, query, *mode, *flags, "-l", str(limit)) == [hit for hit in every if hit in kept][:limit]


@quick
@given(query=queries, mode=st.sampled_from(MODES))
def test_scores_lie_between_0_and_1_and_fall(tree: Tree, query: str, mode: tuple[str, ...]) -> None:
    scores = [score for _, _, score in hits(tree, query, *mode, "-l", "0")]
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)


@quick
@given(query=queries)
def test_hybrid_never_misses_what_both_modes_put_first(tree: Tree, query: str) -> None:
    fts, semantic = hits(tree, query, "--fts", "-l", "1"), hits(tree, query, "--semantic", "-l", "1")
    if fts and semantic and fts[0][:2] == semantic[0][:2]:
        assert fts[0][:2] in [hit[:2] for hit in hits(tree, query, "-l", "3")]


def test_an_unrelated_file_does_not_reorder_equals(tree: Tree) -> None:
    before = [hit[0] for hit in hits(tree, "copied session") if hit[0].startswith("copies/")]
    assert before == [f"copies/c{n}.py" for n in range(6)]
    tree.write({"aaa/unrelated.rs": "fn nothing() {}\n", "zzz/unrelated.rs": "fn none() {}\n"})
    tree.index()
    assert [hit[0] for hit in hits(tree, "copied session") if hit[0].startswith("copies/")] == before


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "text", ["a\x00b", "\udcff", "\ud83d alone", "x" * 10_240, '"' * 99, ":)(:[]{}", "🦀 🦀"]
)
def test_no_text_raises(tree: Tree, mode: tuple[str, ...], text: str) -> None:
    assert tree.run("query", "--json", *mode, "--", text).code in (0, 1)


def test_the_definition_is_found_where_others_say_its_name_more_often(tree: Tree) -> None:
    tree.write({"deep/store.py": "class Depository:\n" + "    limit = 1\n" * 60})
    tree.write({f"users/u{n}.py": "Depository depository Depository\n" * 5 for n in range(30)}).commit()
    tree.index()
    for mode in MODES[:2]:
        assert tree.paths("Depository", *mode)[0] == "deep/store.py"


def test_where_a_name_from_elsewhere_is_passed_on(tree: Tree) -> None:
    tree.write({"web/mod.rs": "pub use outer::{FromRequest, IntoReply};\n\nmod json;\n" + "// more\n" * 30})
    tree.write(
        {f"web/w{n}.rs": "use crate::web::FromRequest;\nfn f(x: FromRequest) {}\n" for n in range(8)}
    ).commit()
    tree.index()
    assert tree.paths("FromRequest", "--fts")[0] == "web/mod.rs"


def test_a_later_version_comes_before_an_earlier_one(tree: Tree) -> None:
    tree.write(
        {f"wire/v{n}/frames.go": "package wire\n\nfunc DecodeFrame() {}\n" for n in (1, 2, 3)}
    ).commit()
    tree.index()
    found = [path for path in tree.paths("decode a frame of the wire", "--fts") if path.startswith("wire/")]
    assert found == ["wire/v3/frames.go", "wire/v1/frames.go", "wire/v2/frames.go"]
