"""Definitions are found in every language that has a grammar, whatever the source."""

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cidx.api.languages import by_name
from cidx.index import grammars
from cidx.index.grammars import DEPTH_LIMIT, HEADER_LIMIT, NAME_LIMIT, Definition, read
from cidx.index.grammars.table import GRAMMARS, Grammar

LANGUAGES = sorted(GRAMMARS)


def definitions(source: bytes, language: str) -> Sequence[Definition] | None:
    found = read(source, language)
    return None if found is None else found.definitions


def check(language: str, source: str, *expected: str) -> None:
    """Each definition as `kind path first-last`, with `lead<` in front where comments lie above it."""
    found = definitions(dedent(source).encode(), language)
    assert found is not None
    assert [
        f"{one.kind} {one.path} "
        + (f"{one.lead_line}<" if one.lead_line < one.start_line else "")
        + f"{one.start_line}-{one.end_line}"
        for one in found
    ] == list(expected)


def headers(language: str, source: str) -> list[str]:
    return [one.header for one in definitions(dedent(source).encode(), language) or []]


def test_python_functions_classes_and_methods() -> None:
    check(
        "python",
        """\
        def plain(a):
            return a

        async def later(): ...

        class Thing(Base):
            size: int = 1

            def method(self):
                def inner():
                    pass

            class Nested:
                async def deep(self): ...
        if True:
            def conditional(): ...
        """,
        "function plain 1-2",
        "function later 4-4",
        "class Thing 6-14",
        "method Thing.method 9-11",
        "function Thing.method.inner 10-11",
        "class Thing.Nested 13-14",
        "method Thing.Nested.deep 14-14",
        "function conditional 16-16",
    )


def test_python_decorators_belong_to_the_definition_and_comments_lead_it() -> None:
    source = """\
        # lead
        @one
        @two(
            1,
        )
        # between
        async def decorated(
            x,
        ): ...

        # apart

        class Bare:  # trailing
            # on the method
            @property
            def value(self): ...
        """
    check(
        "python",
        source,
        "function decorated 1<2-9",
        "class Bare 13-16",
        "method Bare.value 14<15-16",
    )
    assert headers("python", source) == [
        "async def decorated(",
        "class Bare:  # trailing",
        "def value(self): ...",
    ]


def test_python_constants_are_those_of_the_module() -> None:
    check(
        "python",
        """\
        LIMIT = 3
        table: dict = {
        }
        type Name = str
        a.b = 1
        def f():
            local = 1
        """,
        "constant LIMIT 1-1",
        "constant table 2-3",
        "type Name 4-4",
        "function f 6-7",
    )


def test_javascript_functions_in_all_their_forms() -> None:
    check(
        "javascript",
        """\
        function plain() {}
        export async function exported() {}
        export default function fallback() {}
        function* generator() {}
        const arrow = async (x) => x;
        export const shared = () => {
        };
        var old = function () {}, second = () => 1;
        assigned = function () {};
        exports.one = function () {};
        module.exports.two = () => {};
        Thing.prototype.method = function () {};
        app.use = function use() {};
        """,
        "function plain 1-1",
        "function exported 2-2",
        "function fallback 3-3",
        "function generator 4-4",
        "function arrow 5-5",
        "function shared 6-7",
        "function old 8-8",
        "function second 8-8",
        "function assigned 9-9",
        "function one 10-10",
        "function two 11-11",
        "method Thing.method 12-12",
        "method app.use 13-13",
    )


def test_javascript_classes_and_objects() -> None:
    check(
        "javascript",
        """\
        /**
         * Documented.
         */
        export default class Thing extends Base {
          #hidden() {}
          get value() { return 1 }
          static create = () => new Thing();
        }
        const Local = class {};
        const options = {
          data() { return 1 },
          created: function () {},
        };
        """,
        "class Thing 1<4-8",
        "method Thing.hidden 5-5",
        "method Thing.value 6-6",
        "method Thing.create 7-7",
        "class Local 9-9",
        "constant options 10-13",
        "method options.data 11-11",
        "method options.created 12-12",
    )


def test_javascript_constants_are_not_what_is_required() -> None:
    check(
        "javascript",
        """\
        const fs = require('fs');
        const LIMIT = 10;
        const App = React.memo(() => <div>{LIMIT}</div>);
        export const anything = LIMIT;
        function f() { const local = 1; }
        """,
        "constant LIMIT 2-2",
        "constant App 3-3",
        "constant anything 4-4",
        "function f 5-5",
    )


def test_jsx_is_understood() -> None:
    check("javascript", "export const App = () => (\n  <Page title={x}>\n  </Page>\n);\n", "function App 1-4")


TYPESCRIPT = """\
    export interface Shape { area(scale: number): number; readonly name: string }
    export type Id = string | number;
    export const enum Colour { Red }
    namespace Outer.Inner { export function inside(): void {} }
    declare module "legacy" { export function old(): void; }
    export declare function declared(): void;
    function over(a: string): void;
    function over(a: any): void {}
    export default abstract class Base<T> {
      abstract run(): void;
      handler = async (): Promise<void> => {};
      private field: number = 1;
    }
    export const typed = <T,>(x: T): T => x;
    """

TYPESCRIPT_EXPECTED = (
    "interface Shape 1-1",
    "method Shape.area 1-1",
    "type Id 2-2",
    "enum Colour 3-3",
    "module Outer.Inner 4-4",
    "function Outer.Inner.inside 4-4",
    "module legacy 5-5",
    "function legacy.old 5-5",
    "function declared 6-6",
    "function over 7-7",
    "function over 8-8",
    "class Base 9-13",
    "method Base.run 10-10",
    "method Base.handler 11-11",
    "function typed 14-14",
)


@pytest.mark.parametrize("language", ["typescript", "tsx"])
def test_typescript_types_and_signatures(language: str) -> None:
    check(language, TYPESCRIPT, *TYPESCRIPT_EXPECTED)


def test_typescript_decorators_belong_to_their_class_and_lead_their_member() -> None:
    check(
        "typescript",
        """\
        @Component({
          selector: 'x',
        })
        export class View {
          // input
          @Input({
            required: true,
          })
          set value(x: string) {}
        }
        """,
        "class View 1-10",
        "method View.value 5<9-9",
    )


def test_tsx_elements_are_understood() -> None:
    check("tsx", "export function App(): JSX.Element {\n  return <b>{1}</b>;\n}\n", "function App 1-3")


def test_go_methods_belong_to_their_receiver() -> None:
    check(
        "go",
        """\
        package a

        // Thing is.
        type Thing[K any] struct {
            x int
        }
        type (
            // Alias is.
            Alias = int
            Runner interface {
                Run(x int) string
            }
        )
        const Limit = 1
        var (
            first, second = 1, 2
        )
        // Do does.
        // And more.
        func (t *Thing[K]) Do() {}
        func (Alias) Value() {}
        func main() {
            local := 1
        }
        """,
        "struct Thing 3<4-6",
        "type Alias 8<9-9",
        "interface Runner 10-12",
        "method Runner.Run 11-11",
        "constant Limit 14-14",
        "constant first 16-16",
        "constant second 16-16",
        "method Thing.Do 18<20-20",
        "method Alias.Value 21-21",
        "function main 22-24",
    )


def test_rust_impl_blocks_are_containers_named_by_their_type() -> None:
    check(
        "rust",
        """\
        //! The crate.

        /// Documented.
        #[derive(
            Clone,
        )]
        pub struct Thing<T>(T);

        impl<T> fmt::Display for crate::Thing<T> {
            const SIZE: u8 = 1;
            /// Shows.
            #[inline]
            fn fmt(&self) {}
        }
        impl Run for &Thing<u8> { fn run() {} }
        pub trait Run { fn run(); fn twice(&self) {} }
        mod elsewhere;
        #[cfg(test)]
        mod tests {
            #[test]
            fn works() {}
        }
        macro_rules! each { () => {} }
        enum Kind { A }
        static ONE: u8 = 1;
        pub async unsafe fn later() {}
        """,
        "struct Thing 3<7-7",
        "impl Thing 9-14",
        "constant Thing.SIZE 10-10",
        "method Thing.fmt 11<13-13",
        "impl Thing 15-15",
        "method Thing.run 15-15",
        "trait Run 16-16",
        "method Run.run 16-16",
        "method Run.twice 16-16",
        "module tests 18<19-22",
        "function tests.works 20<21-21",
        "macro each 23-23",
        "enum Kind 24-24",
        "constant ONE 25-25",
        "function later 26-26",
    )


def test_a_trailing_comment_does_not_lead_what_follows() -> None:
    check("python", "x = 1  # about x\ndef f(): ...\n", "constant x 1-1", "function f 2-2")
    check("rust", "static X: u8 = 1; // about x\nfn f() {}\n", "constant X 1-1", "function f 2-2")


def test_definitions_around_an_error_survive() -> None:
    found = definitions(b"def before(): pass\n\nclass ( = !!\n\ndef after():\n    return 1\n", "python")
    assert {"before", "after"} <= {one.name for one in found or []}


def test_windows_line_ends_stay_out_of_headers() -> None:
    (found,) = definitions(b"def f(\r\n    a,\r\n): ...\r\n", "python") or []
    assert (found.header, found.start_line, found.end_line) == ("def f(", 1, 3)


def test_names_that_are_not_utf8_do_not_raise() -> None:
    for language in LANGUAGES:
        assert definitions(b"def caf\xe9(): pass\nfunction \xff() {}\nfn \xfe() {}\n", language) is not None


def test_long_names_and_headers_are_trimmed() -> None:
    name = "n" * (NAME_LIMIT * 3)
    (found,) = definitions(f"def {name}(): pass\n".encode(), "python") or []
    assert found.name == "n" * NAME_LIMIT
    assert len(found.header) == HEADER_LIMIT


def test_minified_code_has_no_symbols() -> None:
    assert definitions(b"function a(){}" * 1000, "javascript") == []


def test_deeper_definitions_than_anyone_writes_are_part_of_what_encloses_them() -> None:
    found = definitions(b"function f() {\n" * 3000 + b"}\n" * 3000, "javascript") or []
    assert [one.path.count(".") for one in found] == list(range(DEPTH_LIMIT))
    assert found[0].end_line == 6000


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("token", [b"(", b"[", b"{", b"[{(", b"<", b'"', b"\0", b"\xff"])
def test_a_hundred_thousand_open_brackets_do_no_harm(language: str, token: bytes) -> None:
    assert definitions(token * (100_000 // len(token)), language) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_hundred_thousand_closed_brackets_do_no_harm(language: str) -> None:
    assert definitions(b"(" * 50_000 + b")" * 50_000, language) == []


def test_a_language_without_a_grammar_gives_none() -> None:
    assert definitions(b"program x; begin end.", "pascal") is None
    assert definitions(b"", "no such language") is None


def test_a_grammar_that_is_not_installed_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GRAMMARS, "absent", Grammar("tree_sitter_absent_from_here", ("python",)))
    assert definitions(b"x", "absent") is None
    monkeypatch.setitem(GRAMMARS, "renamed", Grammar("tree_sitter_python", ("python",), "no_such_function"))
    assert definitions(b"x", "renamed") is None


def test_every_grammar_is_installed_and_its_language_is_known() -> None:
    for language in LANGUAGES:
        assert definitions(b"", language) == []
        known = by_name(language)
        assert known is not None
        assert known.name == language


def test_importing_the_module_loads_no_grammar() -> None:
    code = "import sys, cidx.index.chunker; print([m for m in sys.modules if m.startswith('tree_sitter')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_threads_find_the_same() -> None:
    grammars._load.cache_clear()
    source = b"const o = { m() {} };\nexports.f = function () {};\n" * 200
    expected = definitions(source, "javascript")
    with ThreadPoolExecutor(8) as threads:
        assert all(
            found == expected for found in threads.map(lambda _: definitions(source, "javascript"), range(64))
        )


FRAGMENTS = [
    b"def f():\n",
    b"class A:\n",
    b"    pass\n",
    b"@d\n",
    b"# c\n",
    b"function g() {\n",
    b"}\n",
    b"// c\n",
    b"fn h() {}\n",
    b"impl T {\n",
    b"/* \n",
    b"*/",
    b"const x = () => {",
    b'"',
    b"'''",
    b"`${",
    b"\r\n",
    b"\xff\0",
    b"func (a B) C() {}\n",
    b"type D struct {\n",
]


@settings(deadline=None)
@given(st.one_of(st.binary(), st.lists(st.sampled_from(FRAGMENTS)).map(b"".join)), st.sampled_from(LANGUAGES))
def test_any_source_gives_well_formed_definitions(source: bytes, language: str) -> None:
    found = definitions(source, language)
    assert found is not None
    for one in found:
        assert (
            1 <= one.lead_line <= one.start_line <= one.header_line <= one.end_line <= source.count(b"\n") + 1
        )
        assert one.path == one.name or one.path.endswith("." + one.name)
    assert [one.start_line for one in found] == sorted(one.start_line for one in found)
