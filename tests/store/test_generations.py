"""Generations: published at once or never, pinned by who reads, and healed by the next writer."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from cidx.api.errors import CidxError, Code, Damaged, NotIndexed
from cidx.store import layout, seal
from cidx.store.adoption import adopt
from cidx.store.records import NewChunk, NewFile, Reference, Span, Symbol
from cidx.store.snapshot import open_current
from cidx.store.source import content_key
from cidx.store.writer import Writer

MODEL, DIMENSIONS = "test-1", 8


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return tmp_path


def rebuild(index: Path, model: str = MODEL) -> Writer:
    return Writer.rebuild(index, model=model, dimensions=DIMENSIONS)


def update(index: Path, model: str = MODEL) -> Writer:
    return Writer.update(index, model=model, dimensions=DIMENSIONS)


def add(writer: Writer, path: str, *words: str) -> None:
    """A file with one chunk a word."""
    keys = [content_key("", word.encode()) for word in words]
    rows = writer.rows_of_keys(keys)
    new = [key for key in dict.fromkeys(keys) if key not in rows]
    if new:
        rows |= writer.add_vectors(new, np.eye(DIMENSIONS, dtype=np.float32)[: len(new)])
    chunks = [
        NewChunk(Span(number, number), len(word), rows[key], word, "")
        for number, (key, word) in enumerate(zip(keys, words, strict=True), 1)
    ]
    writer.add_file(NewFile(path.encode(), b"stamp", b"digest", "text"), chunks, path_terms=path)


def remove(writer: Writer, path: str) -> None:
    writer.remove_file(*writer.files_at([path.encode()]))


def publish(writer: Writer, change: Callable[[Writer], None]) -> int:
    with writer:
        change(writer)
        return writer.publish()[0]


def found(index: Path, word: str) -> list[str]:
    with open_current(index) as snapshot:
        ids = snapshot.fulltext.search([word], depth=100)
        return sorted(chunk.path.decode() for chunk in snapshot.catalogue.chunks(ids))


def test_nothing_is_there_before_the_first_publication(index: Path) -> None:
    with rebuild(index) as writer:
        add(writer, "a", "alpha")
        with pytest.raises(NotIndexed):
            open_current(index)
    with pytest.raises(NotIndexed):
        open_current(index)


def test_a_publication_is_seen_whole(index: Path) -> None:
    assert publish(rebuild(index), lambda w: add(w, "a", "alpha", "beta")) == 1
    assert found(index, "alpha") == ["a"]
    assert publish(update(index), lambda w: add(w, "b", "alpha")) == 2
    assert found(index, "alpha") == ["a", "b"]


def test_what_was_not_published_did_not_happen(index: Path) -> None:
    publish(rebuild(index), lambda w: add(w, "a", "alpha"))
    with update(index) as writer:
        remove(writer, "a")
        add(writer, "b", "beta")
    assert found(index, "alpha") == ["a"]
    assert found(index, "beta") == []


def test_references_are_found_by_name_while_their_file_lives(index: Path) -> None:
    def add_uses(writer: Writer, path: str, *uses: Reference) -> None:
        file = NewFile(path.encode(), b"stamp", b"digest", "python")
        writer.add_file(file, [], references=uses, path_terms=path)

    uses = [Reference("loads", "call", 7), Reference("loads", "import", 1), Reference("dumps", "call", 9)]
    publish(rebuild(index), lambda w: (add_uses(w, "a", *uses), add_uses(w, "b", uses[0])))
    with open_current(index) as snapshot:
        assert snapshot.catalogue.references("loads") == [
            (b"a", "import", 1),
            (b"a", "call", 7),
            (b"b", "call", 7),
        ]
        assert snapshot.catalogue.references("load") == []
        assert len(snapshot.catalogue.references()) == 4
    publish(update(index), lambda w: remove(w, "a"))
    with open_current(index) as snapshot:
        assert snapshot.catalogue.references("loads") == [(b"b", "call", 7)]


def test_what_removed_files_leave_in_the_catalogue_is_bounded(index: Path) -> None:
    """One file, replaced again and again."""

    def replace(writer: Writer) -> None:
        if writer.files_at([b"a"]):
            remove(writer, "a")
        symbols = [Symbol("name", "Scope.name", "method", 1, 2)]
        file = NewFile(b"a", b"stamp", b"digest", "python")
        writer.add_file(file, [], symbols=symbols, references=[Reference("name", "call", 1)], path_terms="a")

    publish(rebuild(index), replace)
    for _ in range(3):
        publish(update(index), replace)
    with closing(sqlite3.connect(layout.current(index).catalogue)) as connection:
        for table in ("symbol", "reference"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
    with open_current(index) as snapshot:
        assert snapshot.catalogue.symbols() == [(b"a", Symbol("name", "Scope.name", "method", 1, 2))]


def test_a_reader_keeps_its_generation_through_two_publications(index: Path) -> None:
    publish(rebuild(index), lambda w: add(w, "a", "alpha"))
    with open_current(index) as pinned:
        publish(update(index), lambda w: remove(w, "a"))
        publish(update(index), lambda w: add(w, "c", "gamma"))
        assert pinned.generation == 1
        ids = pinned.fulltext.search(["alpha"], depth=10)
        assert [chunk.path for chunk in pinned.catalogue.chunks(ids)] == [b"a"]
        assert len(pinned.vectors) == 1
    assert found(index, "alpha") == []


@pytest.mark.timeout(30)
def test_a_writer_waits_for_no_reader(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon reads as long as it lives, and whoever writes next would wait as well."""
    publish(rebuild(index), lambda writer: add(writer, "a.py", "one"))
    monkeypatch.setattr("cidx.store.database._BUSY_S", 60.0)
    with open_current(index):
        check = seal.Check(index)
        with Writer.update(index, model=MODEL, dimensions=DIMENSIONS, check=check) as writer:
            add(writer, "b.py", "two")
            writer.publish()
    assert found(index, "two") == ["b.py"]


def test_full_text_holds_what_the_last_publication_buried(index: Path) -> None:
    publish(rebuild(index), lambda w: add(w, "a", "alpha"))
    publish(update(index), lambda w: remove(w, "a"))
    with open_current(index) as snapshot:
        assert snapshot.fulltext.chunk_ids() == {1}
        assert snapshot.catalogue.dead() == [1]
    publish(update(index), lambda w: add(w, "b", "beta"))
    with open_current(index) as snapshot:
        assert snapshot.fulltext.chunk_ids() == {2}
        assert snapshot.catalogue.dead() == []


def test_what_a_dead_writer_added_to_full_text_goes_with_the_next(index: Path) -> None:
    publish(rebuild(index), lambda w: add(w, "a", "alpha"))
    with update(index) as writer:
        add(writer, "lost", "omega")
        assert writer._fulltext is not None
        writer._fulltext.commit()
    with open_current(index) as snapshot:
        assert snapshot.fulltext.chunk_ids() == {1, 2}
    assert found(index, "omega") == []
    publish(update(index), lambda w: add(w, "b", "beta"))
    assert found(index, "omega") == []
    with open_current(index) as snapshot:
        assert snapshot.fulltext.chunk_ids() == {1, 2}


def test_equal_content_shares_a_vector(index: Path) -> None:
    publish(rebuild(index), lambda w: (add(w, "a", "alpha"), add(w, "b", "alpha"))[0])
    publish(update(index), lambda w: (remove(w, "a"), add(w, "moved", "alpha"))[0])
    with open_current(index) as snapshot:
        assert len(snapshot.vectors) == 1


def test_a_rebuild_takes_the_vectors_of_the_base_it_replaces(index: Path) -> None:
    publish(rebuild(index), lambda w: add(w, "a", "alpha", "beta"))
    with rebuild(index) as writer:
        known = writer.rows_of_keys([content_key("", b"beta"), content_key("", b"new")])
        assert list(known) == [content_key("", b"beta")]
        add(writer, "b", "beta")
        assert writer.publish()[0] == 2
    with open_current(index) as snapshot:
        assert len(snapshot.vectors) == 1
        assert list(snapshot.vectors.scores(np.eye(DIMENSIONS, dtype=np.float32)[1])) == [1.0]


def test_another_model_shares_nothing(index: Path) -> None:
    publish(rebuild(index), lambda w: add(w, "a", "alpha"))
    with pytest.raises(NotIndexed, match="test-1"):
        update(index, model="test-2")
    with rebuild(index, model="test-2") as writer:
        assert writer.rows_of_keys([content_key("", b"alpha")]) == {}


def test_only_the_current_base_is_left(index: Path) -> None:
    publish(rebuild(index), lambda w: add(w, "a", "alpha"))
    with rebuild(index) as writer:
        add(writer, "b", "beta")
    publish(rebuild(index), lambda w: add(w, "c", "gamma"))
    assert sorted(path.name for path in index.iterdir()) == [layout.current(index).folder.name, "current"]


def test_a_touched_file_makes_no_generation(index: Path) -> None:
    publish(rebuild(index), lambda w: add(w, "a", "alpha"))
    assert publish(update(index), lambda w: w.set_stamp(*w.files_at([b"a"]), b"later")) == 1
    with open_current(index) as snapshot:
        assert snapshot.catalogue.stamps() == {b"a": b"later"}


def test_a_newer_format_is_refused(index: Path) -> None:
    publish(rebuild(index), lambda w: add(w, "a", "alpha"))
    (index / "current").write_text('{"format": 999, "base": "base-1"}')
    with pytest.raises(CidxError) as caught:
        open_current(index)
    assert caught.value.code is Code.NEWER_INDEX


def test_an_older_format_is_made_anew(index: Path) -> None:
    publish(rebuild(index), lambda w: add(w, "a", "alpha"))
    (index / "current").write_text('{"format": 0, "base": "base-1"}')
    with pytest.raises(NotIndexed, match="older"):
        open_current(index)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 1, "base": "../../x"}', "\0" * 50])
def test_a_damaged_pointer_is_noticed(index: Path, text: str) -> None:
    publish(rebuild(index), lambda w: add(w, "a", "alpha"))
    (index / "current").write_text(text)
    with pytest.raises(Damaged):
        open_current(index)


@pytest.mark.parametrize("part", ["catalogue.sqlite", "vectors", "fulltext/meta.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "noise"])
def test_a_damaged_part_is_noticed(index: Path, part: str, damage: str) -> None:
    publish(rebuild(index), lambda w: add(w, "a", "alpha"))
    file = layout.current(index).folder / part
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(b"" if damage == "empty" else b"\xfe noise " * 500)
    with pytest.raises(Damaged):
        open_current(index)


def test_a_first_index_can_be_searched_before_it_is_complete(index: Path) -> None:
    with rebuild(index) as writer:
        assert writer.is_first
        add(writer, "a", "alpha")
        writer.publish_so_far()
        assert writer.is_first
        assert found(index, "alpha") == ["a"]
        add(writer, "b", "beta")
        assert found(index, "beta") == []
        writer.publish_so_far()
        add(writer, "c", "alpha")
        assert writer.publish()[0] == 3
    assert found(index, "alpha") == ["a", "c"]
    assert found(index, "beta") == ["b"]
    base = layout.current(index)
    assert (base.folder / "seal").exists()
    assert seal.damage(base) == ""


def test_what_a_first_index_has_published_stays_when_it_ends_early(index: Path) -> None:
    with rebuild(index) as writer:
        add(writer, "a", "alpha")
        writer.publish_so_far()
        add(writer, "b", "beta")
    assert found(index, "alpha") == ["a"]
    publish(update(index), lambda w: add(w, "b", "beta"))
    assert found(index, "beta") == ["b"]


def test_a_rebuild_replaces_what_is_there_in_one_step(index: Path) -> None:
    publish(rebuild(index), lambda w: add(w, "a", "alpha"))
    with rebuild(index) as writer:
        assert not writer.is_first


def test_another_index_is_adopted_whole(index: Path, tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    publish(rebuild(theirs), lambda w: add(w, "a", "alpha"))
    with update(theirs) as writer:
        add(writer, "b", "beta")
        assert adopt(ours, [tmp_path / "nothing", theirs], model=MODEL)
    assert found(ours, "alpha") == ["a"]
    publish(update(ours), lambda w: remove(w, "a"))
    assert found(ours, "alpha") == []
    assert found(theirs, "alpha") == ["a"]


def test_what_can_not_be_used_is_not_adopted(index: Path, tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    publish(rebuild(theirs), lambda w: add(w, "a", "alpha"))
    assert not adopt(ours, [theirs], model="another")
    segment = next(layout.current(theirs).fulltext.glob("*.idx"))
    segment.write_bytes(segment.read_bytes()[:-1])
    assert not adopt(ours, [theirs], model=MODEL)
    assert list(ours.iterdir()) == []
