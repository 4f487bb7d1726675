"""Whatever happens to the files, an index brought up to date equals one made from scratch."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kit import Tree, content, lines_on_disk

NAMES = ("a.py", "b.py", "pkg/c.py", "pkg/d.go", "docs/e.md", "notes.txt", "pkg/deep/f.rs", "data.bin")
BODIES = (
    b"",
    b"def alpha():\n    return 1\n",
    b"def alpha():\n    return 2\n\n\nclass Beta:\n    def gamma(self):\n        return alpha()\n",
    b"package main\n\nfunc Delta() int {\n\treturn 3\n}\n",
    b"# Title\n\ntext\n\n## Section\n\nmore text\n",
    b"line\n" * 400,
    b"\0binary",
    "caf\u00e9 = 'na\u00efve'\r\nno newline at end".encode(),
    b"def broken(:\n  \xff\xfe\n",
)

names, bodies = st.sampled_from(NAMES), st.sampled_from(BODIES)
steps = st.one_of(
    st.tuples(st.just("write"), names, bodies),
    st.tuples(st.just("append"), names, bodies),
    st.tuples(st.just("delete"), names),
    st.tuples(st.just("rename"), names, names),
    st.tuples(st.just("touch"), names),
    st.tuples(st.just("ignore"), names),
    st.tuples(st.just("branch"), st.sampled_from(["main", "other", "third"])),
    st.tuples(st.just("index")),
    st.tuples(st.just("clear")),
)


def apply(tree: Tree, step: tuple[object, ...]) -> None:
    kind, *rest = step
    files = [tree.root / str(name) for name in rest[: 2 if kind == "rename" else 1]]
    match kind:
        case "write":
            tree.write({str(rest[0]): rest[1]})  # type: ignore[dict-item]
        case "append":
            tree.write({str(rest[0]): (files[0].read_bytes() if files[0].exists() else b"") + rest[1]})  # type: ignore[operator]
        case "delete":
            files[0].unlink(missing_ok=True)
        case "rename" if files[0].exists():
            files[1].parent.mkdir(parents=True, exist_ok=True)
            files[0].rename(files[1])
        case "touch" if files[0].exists():
            files[0].touch()
        case "ignore":
            tree.write({".gitignore": f"/{rest[0]}\n"})
        case "branch":
            tree.commit()
            known = tree.git("branch", "--list", str(rest[0])).strip()
            tree.git("checkout", "-q", *([] if known else ["-b"]), str(rest[0]))
        case "index":
            tree.index()
        case "clear":
            tree.index("--clear")


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, min_size=1, max_size=14))
def test_any_sequence_of_changes_gives_what_a_rebuild_gives(sequence: list[tuple[object, ...]]) -> None:
    with TemporaryDirectory() as place:
        tree = Tree(Path(place))
        tree.write({"a.py": BODIES[2], "docs/e.md": BODIES[4]}).commit()
        for step in sequence:
            apply(tree, step)
        tree.index()
        with tree.snapshot() as snapshot:
            updated = content(snapshot)
        shutil.rmtree(tree.root / ".code-indexer")
        assert tree.index()["rebuilt"]
        with tree.snapshot() as snapshot:
            assert content(snapshot) == updated


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, min_size=1, max_size=8), st.sampled_from(["alpha", "line", "gamma text", "return"]))
def test_every_hit_shows_the_lines_of_its_file(sequence: list[tuple[object, ...]], text: str) -> None:
    with TemporaryDirectory() as place:
        tree = Tree(Path(place))
        tree.write({"a.py": BODIES[2], "notes.txt": BODIES[5]}).commit()
        tree.index()
        for step in sequence:
            apply(tree, step)
        for hit in tree.query(text, "--limit", "0")["hits"]:
            assert not hit.get("stale")
            assert hit["text"] == lines_on_disk(tree.root, hit["path"], hit["start_line"], hit["end_line"])
