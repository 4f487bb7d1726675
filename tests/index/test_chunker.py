"""Files are cut where a reader would cut them, and every line is in exactly one chunk."""

from collections.abc import Sequence
from io import BytesIO
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cidx.index.chunker import MAX_BYTES, ROWS_BYTES, TEXT_BYTES, outline, spans
from cidx.index.grammars import GRAMMARS, Definition
from cidx.store.records import Reference, Span


def check(language: str, source: str, *expected: str) -> None:
    """Each span as `first-last kind symbol | header`, without its empty parts."""
    source_bytes = dedent(source).encode()
    found = outline(source_bytes, language).spans
    covers_every_line(source_bytes, found)
    assert [shown(span) for span in found] == list(expected)


def shown(span: Span) -> str:
    header = f"| {span.header}" if span.header else ""
    return " ".join(filter(None, [f"{span.start_line}-{span.end_line}", span.kind, span.symbol, header]))


def covers_every_line(source: bytes, found: Sequence[Span], limit_bytes: int = MAX_BYTES) -> None:
    lines = BytesIO(source).readlines()
    at = 1
    for span in found:
        assert span.start_line == at
        assert span.end_line >= at
        at = span.end_line + 1
        size = sum(map(len, lines[span.start_line - 1 : span.end_line]))
        assert size <= limit_bytes or span.start_line == span.end_line
    assert at == len(lines) + 1


def body(lines: int, indent: int = 4, statement: str = "statement({})") -> str:
    """Lines of 40 bytes that define nothing, valid in every language."""
    return "".join(f"{' ' * indent}{statement.format(number)}".ljust(38) + ";\n" for number in range(lines))


def test_an_empty_file_has_no_chunks() -> None:
    for language in ("python", "markdown", "text"):
        check(language, "")


def test_a_small_file_is_one_chunk_and_shows_its_only_definition() -> None:
    check("python", "import os\n\n\ndef f():\n    pass\n", "1-5 function f")
    check("python", "import os\n\n\ndef f():\n    pass\n\ndef g(): ...\n", "1-7")
    check("python", "import os", "1-1")


def test_a_chunk_has_the_names_of_all_that_it_shows_but_for_its_symbol() -> None:
    def names(source: str) -> list[tuple[str, str]]:
        return [(span.symbol, span.names) for span in outline(source.encode(), "python").spans]

    assert names("def f(): ...\n\ndef g(): ...\n") == [("", "f\ng")]
    assert names("class Thing:\n    def read(self): ...\n\n    def write(self): ...\n") == [
        ("Thing", "read\nwrite")
    ]
    assert names(f"import os\n\ndef f():\n{body(20)}\ndef g():\n{body(20)}") == [("f", ""), ("g", "")]
    assert names("x\n") == [("", "")]


def test_functions_of_a_fair_size_are_chunks_of_their_own() -> None:
    source = "import os\n" + "".join(f"\n\ndef f{n}():\n{body(20)}" for n in range(3))
    check("python", source, "1-26 function f0", "27-49 function f1", "50-70 function f2")


def test_small_functions_share_a_chunk_that_belongs_to_what_encloses_them() -> None:
    methods = "".join(f"    def m{n}(self):\n{body(8, 8)}\n" for n in range(8))
    check(
        "python",
        f"class Thing:\n{methods}",
        "1-31 class Thing",
        "32-61 class Thing | class Thing:",
        "62-81 class Thing | class Thing:",
    )


def test_a_class_that_fits_is_one_chunk() -> None:
    check(
        "python",
        f"class A:\n    def m(self):\n{body(15, 8)}\n    def n(self):\n{body(15, 8)}",
        "1-34 class A",
    )


def test_the_header_of_a_large_class_goes_with_its_first_member() -> None:
    check(
        "python",
        f"class A:\n    def m(self):\n{body(40, 8)}\n    def n(self):\n{body(20, 8)}",
        "1-43 method A.m",
        "44-64 method A.n",
    )


def test_a_long_header_of_a_large_class_is_a_chunk_of_the_class() -> None:
    docstring = f'    """Doc.\n{body(20)}    """\n'
    check(
        "python",
        f"class A:\n{docstring}\n    def m(self):\n{body(40, 8)}",
        "1-24 class A",
        "25-65 method A.m",
    )


def test_pieces_of_a_long_function_keep_its_name_and_all_but_the_first_its_header() -> None:
    source = f"class A:\n    def long(self, x):\n{body(90, 8)}"
    header = "| def long(self, x):"
    check(
        "python",
        source,
        "1-47 method A.long",
        f"48-92 method A.long {header}",
    )


def test_a_long_function_is_cut_at_its_blank_lines() -> None:
    check(
        "python",
        f"def long():\n{body(20)}\n{body(24)}\n{body(22)}\n{body(20)}",
        "1-47 function long",
        "48-90 function long | def long():",
    )


def test_a_cut_keeps_a_closing_bracket_and_a_comment_where_they_belong() -> None:
    middle = "    call(\n        1,\n    )\n    # about the last\n    last()\n"
    source = f"def long():\n{body(45)}{middle}{body(45)}"
    starts = [source.split("\n")[span.start_line - 1] for span in outline(source.encode(), "python").spans]
    assert starts in (["def long():", "    call("], ["def long():", "    # about the last"])


def test_decorators_and_comments_above_go_with_their_definition() -> None:
    source = f"def a():\n{body(20)}\n# about b\n@decorated(\n    1\n)\ndef b():\n{body(20)}"
    check("python", source, "1-22 function a", "23-47 function b")


def test_blank_lines_go_with_what_is_above() -> None:
    check(
        "python",
        f"def a():\n{body(20)}\n\n\n\ndef b():\n{body(20)}\n\n",
        "1-25 function a",
        "26-48 function b",
    )


def test_nested_classes_have_their_whole_path() -> None:
    source = f"class A:\n    class B:\n        class C:\n            def m(self):\n{body(55, 16)}"
    check(
        "python",
        source,
        "1-31 method A.B.C.m",
        "32-59 method A.B.C.m | def m(self):",
    )


def test_a_small_function_within_a_long_one_is_part_of_its_text() -> None:
    source = f"def outer():\n{body(30)}    def tiny(): ...\n{body(30)}"
    symbols = [span.symbol for span in outline(source.encode(), "python").spans]
    assert symbols == ["outer", "outer"]


def test_a_large_function_within_a_long_one_is_a_chunk() -> None:
    source = f"def outer():\n{body(30)}    def inner():\n{body(30, 8)}{body(30)}"
    check(
        "python",
        source,
        "1-31 function outer",
        "32-62 function outer.inner",
        "63-92 function outer | def outer():",
    )


def test_an_outline_knows_what_the_file_refers_to() -> None:
    found = outline(b"import os\n\nclass A(Base):\n    x = os.getcwd()\n", "python").references
    assert found == (
        Reference("os", "import", 1),
        Reference("Base", "inherit", 3),
        Reference("getcwd", "call", 4),
    )
    assert outline(b"# import os\n", "markdown").references == ()


def test_small_constants_are_symbols_but_no_subject_of_a_chunk() -> None:
    found = outline(b"import os\n\nLIMIT = 1\nOTHER = 2\n", "python")
    assert [symbol.path for symbol in found.symbols] == ["LIMIT", "OTHER"]
    assert [span.symbol for span in found.spans] == [""]


def test_a_large_table_is_a_chunk_with_its_name() -> None:
    rows = "".join(f'    "row {number}",'.ljust(39) + "\n" for number in range(30))
    table = f"TABLE = [\n{rows}]\n"
    check("python", f"def f():\n{body(20)}\n{table}", "1-22 function f", "23-54 constant TABLE")


def test_a_closing_brace_goes_with_what_it_closes() -> None:
    source = f"class A {{\n  m() {{\n{body(30, 4)}  }}\n\n  n() {{\n{body(20, 4)}  }}\n}}\n"
    check("javascript", source, "1-34 method A.m", "35-57 method A.n")


def test_go_methods_stand_under_their_receiver() -> None:
    source = f"package a\n\nfunc (t *Thing) Do() {{\n{body(20)}}}\n\nfunc main() {{\n{body(20)}}}\n"
    check("go", source, "1-25 method Thing.Do", "26-47 function main")


def test_rust_methods_stand_under_their_type() -> None:
    source = f"impl<T> Show for Thing<T> {{\n    #[inline]\n    fn show(&self) {{\n{body(30, 8)}    }}\n"
    source += f"    /// Hides.\n    fn hide(&self) {{\n{body(25, 8)}    }}\n}}\n"
    check("rust", source, "1-34 method Thing.show", "35-63 method Thing.hide")


def test_typescript_interfaces_and_functions_are_chunks() -> None:
    members = body(20, 2, "member_{}: string")
    source = f"export interface A {{\n{members}}}\nexport function f(): void {{\n{body(20)}}}\n"
    check("typescript", source, "1-22 interface A", "23-44 function f")
    check("tsx", source, "1-22 interface A", "23-44 function f")


def test_markdown_is_cut_at_its_headings() -> None:
    text = "word " * 20 + "\n"
    source = f"# Guide\n\n## Install\n\n{text * 12}\n## Use\n\n{text * 12}\n```sh\n# no heading\n```\n"
    check("markdown", source, "1-17 section Guide > Install", "18-35 section Guide > Use")
    symbols = outline(source.encode(), "markdown").symbols
    assert [(one.path, one.kind) for one in symbols] == [
        ("Guide", "section"),
        ("Guide > Install", "section"),
        ("Guide > Use", "section"),
    ]


def test_a_long_section_is_cut_into_pieces_that_know_their_heading() -> None:
    paragraph = "word " * 90 + "\n\n"
    check(
        "markdown",
        f"## Part\n\n{paragraph * 6}",
        "1-8 section Part",
        "9-14 section Part | ## Part",
    )


def test_text_is_cut_at_blank_lines() -> None:
    paragraph = ("word " * 12 + "\n") * 5 + "\n"
    found = outline((paragraph * 12).encode(), "text")
    covers_every_line((paragraph * 12).encode(), found.spans, TEXT_BYTES)
    assert all(span.end_line % 6 == 0 for span in found.spans)
    assert found.symbols == ()


@pytest.mark.parametrize(("language", "limit_bytes"), [("text", TEXT_BYTES), ("po", ROWS_BYTES)])
def test_rows_that_are_all_alike_are_cut_in_larger_pieces(language: str, limit_bytes: int) -> None:
    source = b'msgid "a file"\nmsgstr "eine Datei"\n\n' * 500
    found = outline(source, language).spans
    covers_every_line(source, found, limit_bytes)
    assert len(source) / len(found) > limit_bytes / 2


def test_an_unknown_language_is_cut_like_text() -> None:
    source = b"int f() {\n  return 1;\n}\n\n" * 200
    assert outline(source, "pascal") == outline(source, "text")


def test_pieces_are_of_about_one_size() -> None:
    source = body(1000, 0).encode()
    sizes = [40 * (span.end_line - span.start_line + 1) for span in outline(source, "text").spans]
    assert min(sizes) > 0.5 * max(sizes)


def test_a_line_too_long_is_a_chunk_of_its_own() -> None:
    long_line = "x" * (MAX_BYTES + 1) + "\n"
    check("text", f"a\n{long_line}b\nc\n", "1-1", "2-2", "3-4")
    check("python", f"a = 1\n# {long_line}b = 1\n", "1-1", "2-2 constant b | b = 1", "3-3 constant b")
    check("python", f"def f():\n    return '{long_line}", "1-1 function f", "2-2 function f | def f():")


def test_only_newlines_end_a_line() -> None:
    check("text", "a\rb\fc\u2028d\x1ce\nf\n", "1-2")


def test_windows_line_ends_and_a_missing_last_one_change_no_span() -> None:
    source = f"class A:\n    def m(self):\n{body(40, 8)}\n    def n(self):\n{body(40, 8)}".encode()
    found = outline(source, "python")
    assert found.symbols == outline(source.replace(b"\n", b"\r\n"), "python").symbols
    assert found == outline(source.rstrip(b"\n"), "python")
    covers_every_line(source.replace(b"\n", b"\r\n"), outline(source.replace(b"\n", b"\r\n"), "python").spans)


def test_bytes_that_are_not_utf8_are_cut_all_the_same() -> None:
    for language in ("python", "markdown", "text"):
        source = b"# caf\xe9\ndef caf\xe9():\n    pass\n\xff\xfe\0\n" * 300
        covers_every_line(source, outline(source, language).spans)


def test_parse_errors_lose_no_line() -> None:
    source = (
        f"class A:\n    def m(self):\n{body(40, 8)}\n   )) = def class !!\n    def n(self):\n{body(40, 8)}\n"
    )
    for language in GRAMMARS:
        covers_every_line(source.encode(), outline(source.encode(), language).spans)


@pytest.mark.parametrize("language", ["text", "markdown", "python"])
@pytest.mark.parametrize("line", [b"\n", b"x\n", b"x \n\n", b"\t\r\n"])
def test_a_megabyte_of_tiny_lines_is_cut(language: str, line: bytes) -> None:
    source = line * (1_000_000 // len(line))
    found = outline(source, language).spans
    covers_every_line(source, found)
    assert len(found) < 1500


@pytest.mark.parametrize("language", ["text", "markdown", *sorted(GRAMMARS)])
def test_a_megabyte_in_one_line_is_one_chunk(language: str) -> None:
    assert [shown(span) for span in outline(b"x" * 1_000_000, language).spans] == ["1-1"]


@settings(deadline=None)
@given(st.binary(max_size=5000), st.sampled_from(["text", "markdown", *sorted(GRAMMARS)]))
def test_any_bytes_are_covered(source: bytes, language: str) -> None:
    covers_every_line(source, outline(source, language).spans)


LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [b"\n", b"    \n", b"}\n", b"# c\n", b"def f():\n", b"    x\r\n", b"# H\n", b"```\n"]
        ),
        st.integers(0, 400).map(lambda size: b"y" * size + b"\n"),
        st.integers(0, 20).map(lambda indent: b" " * indent + b"z" * 30 + b"\n"),
        st.just(b"w" * 2500 + b"\n"),
    ),
    max_size=120,
)


@settings(deadline=None)
@given(LINES, st.sampled_from(["text", "markdown", "python", "javascript"]))
def test_any_mix_of_lines_is_covered(lines: list[bytes], language: str) -> None:
    source = b"".join(lines)
    found = outline(source, language)
    covers_every_line(source, found.spans)
    assert found == outline(source, language)


@st.composite
def definition(draw: st.DrawFn) -> Definition:
    """Any lines at all: outside the file, overlapping, crossing, above one another."""
    start = draw(st.integers(-2, 130))
    end = start + draw(st.integers(-1, 130))
    lead = start - draw(st.integers(0, 3))
    kind = draw(st.sampled_from(["function", "class", "method", "constant", "impl", "module"]))
    name = draw(st.sampled_from("abc"))
    return Definition(
        name, f"p.{name}", kind, lead, start, draw(st.integers(start, max(start, end))), end, "header"
    )


@settings(deadline=None)
@given(LINES, st.lists(definition(), max_size=40))
def test_any_definitions_over_any_lines_cover_every_line(lines: list[bytes], found: list[Definition]) -> None:
    cut = spans(lines, found)
    covers_every_line(b"".join(lines), cut)
    assert cut == spans(lines, found)
    assert {span.symbol for span in cut} <= {"", *(one.path for one in found)}


@settings(deadline=None)
@given(st.integers(1, 60), LINES)
def test_definitions_nested_to_any_depth_cover_every_line(depth: int, lines: list[bytes]) -> None:
    count = len(lines)
    found = [
        Definition("n", "n", "class", row, row, row, max(row, count - row), "h")
        for row in range(1, depth + 1)
    ]
    covers_every_line(b"".join(lines), spans(lines, found))
