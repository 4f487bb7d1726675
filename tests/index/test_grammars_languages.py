"""Each language's definitions and references, in a small file as people write them."""

from textwrap import dedent

import pytest

from cidx.index.grammars import LINE_LIMIT, NAME_LIMIT, REFERENCE_LIMIT, read


def check(language: str, source: str, expected: str) -> None:
    """A line for each definition (`kind path first-last`, `lead<` before it), then one for each reference kind.

    References are `kind: name@line …`, in the order of the file.
    """
    found = read(dedent(source).encode(), language)
    assert found is not None
    lines = [
        f"{one.kind} {one.path} "
        + (f"{one.lead_line}<" if one.lead_line < one.start_line else "")
        + f"{one.start_line}-{one.end_line}"
        for one in found.definitions
    ]
    for kind in ("import", "inherit", "call"):
        uses = [f"{use.name}@{use.line}" for use in found.references if use.kind == kind]
        lines += [f"{kind}: {' '.join(uses)}"] if uses else []
    assert lines == dedent(expected).strip().splitlines()


def names(language: str, source: str) -> set[str]:
    found = read(dedent(source).encode(), language)
    assert found is not None
    return {one.path for one in found.definitions}


def test_a_reference_is_kept_once_where_it_stands_first() -> None:
    check(
        "python",
        """\
        x = f(
            f(1).g,
        ).g()
        f()
        """,
        """
        constant x 1-3
        call: f@1 g@3
        """,
    )


def test_what_names_a_definition_is_no_reference() -> None:
    check(
        "elixir",
        """\
        def later(x), do: x
        later(1)
        """,
        """
        function later 1-1
        call: later@2
        """,
    )


def test_references_are_bounded() -> None:
    source = "".join(f"name_{number}()\n" for number in range(3 * REFERENCE_LIMIT))
    found = read(source.encode(), "python")
    assert found is not None
    assert len(found.references) == REFERENCE_LIMIT
    assert found.references[-1].line == REFERENCE_LIMIT


def test_long_names_and_lines_hold_no_reference() -> None:
    source = f"a()\n{'n' * (NAME_LIMIT + 1)}()\nb(); {' ' * LINE_LIMIT} c()\n"
    source += "# more code than what is in long lines\n" * 200
    check("python", source, "call: a@1")


def test_any_bytes_give_references_that_can_be_stored() -> None:
    found = read(b"caf\xe9()\nimport \xff\nclass A(\xfe): pass\n", "python")
    assert found is not None
    for one in found.references:
        one.name.encode()


def test_python() -> None:
    check(
        "python",
        """\
        import os.path, json as j
        from a.b import c, d as e
        from . import f
        from ..g import *

        @cache
        @app.route("/")
        class A(Base, mixins.M, Generic[T], metaclass=Meta):
            x: int = json.loads(y)(1)

            def m(self) -> None:
                super().m()
        """,
        """
        class A 6-12
        method A.m 11-12
        import: os.path@1 json@1 a.b@2 c@2 d@2 .@3 f@3 ..g@4
        inherit: Base@8 M@8 Generic@8
        call: cache@6 route@7 loads@9 super@12 m@12
        """,
    )


def test_javascript() -> None:
    check(
        "javascript",
        """\
        import D, { a as b } from "./lib/x";
        export { q } from "./q";
        const p = require('p');
        class A extends React.Component {
          async render() {
            const l = await import('./lazy');
            this.#hidden();
            return <div><Page a={f()}/><Q.R>x</Q.R></div>;
          }
        }
        new Foo().bar?.baz();
        """,
        """
        class A 4-10
        method A.render 5-9
        import: D@1 a@1 ./lib/x@1 ./q@2 p@3 ./lazy@6
        inherit: Component@4
        call: require@3 #hidden@7 Page@8 f@8 R@8 Foo@11 baz@11
        """,
    )


def test_typescript() -> None:
    check(
        "typescript",
        """\
        import type { C } from "./lib/x";
        import fs = require("fs");
        @Dec()
        class A<T> extends B.C<T> implements I, J.K<L> {
          @Input() x;
          m() { new Z<Q>(); super.m(); }
        }
        interface I extends X, Y<Z> { a(): void }
        """,
        """
        class A 3-7
        method A.m 5<6-6
        interface I 8-8
        method I.a 8-8
        import: C@1 ./lib/x@1 fs@2
        inherit: C@4 I@4 K@4 X@8 Y@8
        call: Dec@3 Input@5 Z@6 m@6
        """,
    )


def test_tsx() -> None:
    check(
        "tsx",
        """\
        export const App = () => <Page<T> title={f(1)}><b/></Page>;
        """,
        """
        function App 1-1
        call: Page@1 f@1
        """,
    )


def test_go() -> None:
    check(
        "go",
        """\
        package a

        import (
            "fmt"
            x "github.com/a/b"
        )

        type T struct {
            Base
            *Ptr
            pkg.Q
            name string
        }

        type I interface {
            io.Reader
            M()
        }

        func f() {
            fmt.Println(g(1), T{a: 1}, &pkg.S{}, h[int](2))
        }
        """,
        """
        struct T 8-13
        interface I 15-18
        method I.M 17-17
        function f 20-22
        import: fmt@4 github.com/a/b@5
        inherit: Base@9 Ptr@10 Q@11 Reader@16
        call: Println@21 g@21 T@21 S@21
        """,
    )


def test_rust() -> None:
    check(
        "rust",
        """\
        use std::{io::{self, Read}, fmt as f};
        use a::b::C;
        mod sub;

        #[derive(Debug)]
        struct S;

        impl<T> fmt::Display for A<T> {
            fn x() {
                foo(1);
                self.bar();
                A::new();
                q::<T>();
                vec![1];
                S { a: 1 };
            }
        }

        trait T: Base + other::Q<i32> {}
        """,
        """
        struct S 5<6-6
        impl A 8-17
        method A.x 9-16
        trait T 19-19
        import: Read@1 fmt@1 C@2 sub@3
        inherit: Display@8 Base@19 Q@19
        call: foo@10 bar@11 new@12 q@13 vec@14 S@15
        """,
    )


def test_java() -> None:
    check(
        "java",
        """\
        package a.b;

        import static java.util.List.of;
        import java.util.*;
        import java.util.Map;

        /** Documented. */
        @Entity(1)
        public class A<T extends B> extends C<T> implements D, E.F<G> {
          static final int LIMIT = 3, MORE = 4;
          private int field;

          // about m
          @Override
          public <U> U m(int a) throws X {
            foo(1);
            this.bar(new Baz<Q>());
            return list.map(Foo::qux);
          }

          A() { super(); }

          enum K { ONE { void f() {} }, TWO; }
          interface I extends J, L<M> { int x(); }
          record R(int a) implements D { R { } }
          @interface Z { int v() default 1; }
        }
        """,
        """
        class A 7<8-27
        constant A.LIMIT 10-10
        constant A.MORE 10-10
        method A.m 13<14-19
        method A.A 21-21
        enum A.K 23-23
        class A.K.ONE 23-23
        method A.K.ONE.f 23-23
        interface A.I 24-24
        method A.I.x 24-24
        class A.R 25-25
        method A.R.R 25-25
        interface A.Z 26-26
        method A.Z.v 26-26
        import: of@3 java.util@4 Map@5
        inherit: C@9 D@9 F@9 J@24 L@24
        call: Entity@8 Override@14 foo@16 bar@17 Baz@17 map@18 qux@18
        """,
    )


def test_c() -> None:
    check(
        "c",
        """\
        #include <stdio.h>
        #include "a/b.h"
        #ifndef A_H
        #define A_H
        #define MAX(a, b) ((a) > (b))
        #define LIMIT 3
        /* names */
        static const char *names[] = {
          "a",
        };
        static __init int *ptr(int a) { return foo(a); }
        int (*chosen(int a))(int) { ops->run(1); }
        typedef struct s { int a; } S;
        typedef int (*callback)(int);
        struct node { int x; };
        struct node *next;
        enum color { RED };
        int prototype(int);
        #ifdef __cplusplus
        extern "C" {
        #endif
        static int
        long_one(int a,
                 int b)
        {
          int local = 1;
          return a;
        }
        #ifdef __cplusplus
        }
        #endif
        #endif
        """,
        """
        macro MAX 5-5
        constant LIMIT 6-6
        constant names 7<8-10
        function ptr 11-11
        function chosen 12-12
        struct s 13-13
        struct S 13-13
        type callback 14-14
        struct node 15-15
        enum color 17-17
        function long_one 22-28
        import: stdio.h@1 a/b.h@2
        call: foo@11 run@12
        """,
    )


def test_cpp() -> None:
    check(
        "cpp",
        """\
        #include <vector>
        using std::string;
        namespace a::b {
        // Documented.
        template <typename T>
        class Foo : public Bar<T>, private ns::Baz {
         public:
          Foo();
          ~Foo() {}
          int n() { return q<int>(1); }
          bool operator==(const Foo& o) const { return true; }
          T& r() {}
          template <class U>
          void t() {}
        };
        }
        template <class T>
        void Foo<T>::m() const {
          a::b::f(1);
          obj.g(new Zed(3), std::make_unique<X>(1));
        }
        Foo::Foo(int a) : x_(a) {}
        A::B::C A::B::fn(int x) { }
        std::ostream& operator<<(std::ostream& o, const A& a) {}
        TEST(Suite, Name) { EXPECT_EQ(1, 2); }
        using X = int;
        enum class E : int { A };
        constexpr int kMax = 3;
        class EXPORT Wrapped : public Base {
          void x() {}
        };
        namespace { int hidden() { return 1; } }
        extern "C" { void plain() {} }
        """,
        """
        module a.b 3-16
        class a.b.Foo 4<5-15
        method a.b.Foo.~Foo 9-9
        method a.b.Foo.n 10-10
        method a.b.Foo.operator== 11-11
        method a.b.Foo.r 12-12
        method a.b.Foo.t 13-14
        method Foo.m 17-21
        method Foo.Foo 22-22
        method A.B.fn 23-23
        function operator<< 24-24
        function Suite.Name 25-25
        type X 26-26
        enum E 27-27
        constant kMax 28-28
        class Wrapped 29-31
        method Wrapped.x 30-30
        function hidden 32-32
        function plain 33-33
        import: vector@1 string@2
        inherit: Bar@6 Baz@6 Base@29
        call: q@10 f@19 g@20 Zed@20 make_unique@20 EXPECT_EQ@25
        """,
    )


def test_csharp() -> None:
    check(
        "csharp",
        """\
        using System.Text;
        using static System.Math;
        using J = Newtonsoft.Json;
        namespace A.B;
        /// <summary>Documented.</summary>
        [Serializable]
        public partial class Foo<T> : Base<T>, IFoo, N.IBar where T : class
        {
            const int Max = 3;
            public int P { get; set; }
            public Foo(int a) : base(a) { }
            public async Task<int> M<U>(U u)
            {
                Bar(this.Baz<int>(2), new Zed(3));
                await x.Y();
                a?.Cond();
                int Local() => 1;
            }
            public static bool operator ==(Foo a, Foo b) => true;
            public delegate void D(int x);
            interface I { void X(); }
            enum K { A }
            record R(int A) : Z(A);
        }
        """,
        """
        class Foo 5<6-24
        constant Foo.Max 9-9
        property Foo.P 10-10
        method Foo.Foo 11-11
        method Foo.M 12-18
        function Foo.M.Local 17-17
        method Foo.== 19-19
        type Foo.D 20-20
        interface Foo.I 21-21
        method Foo.I.X 21-21
        enum Foo.K 22-22
        class Foo.R 23-23
        import: System.Text@1 System.Math@2 Newtonsoft.Json@3
        inherit: Base@7 IFoo@7 IBar@7 Z@23
        call: Serializable@6 Bar@14 Baz@14 Zed@14 Y@15 Cond@16
        """,
    )


def test_csharp_namespaces_are_in_no_path() -> None:
    check(
        "csharp",
        """\
        namespace A.B
        {
            class C { void M() { } }
        }
        """,
        """
        class C 3-3
        method C.M 3-3
        """,
    )


def test_ruby() -> None:
    check(
        "ruby",
        """\
        require 'json'
        require_relative "a/b"

        # Documented.
        module A::B
          class Foo < Bar::Baz
            include Enumerable
            LIMIT = 3

            # about m?
            def m?(x)
              foo(1)
              obj.baz 2
              Thing.new
            end

            def self.create; end
            class << self
              def inner; end
            end
            private def hid; end
            define_method(:dyn) { 1 }
          end
          def y; end
        end
        def top; end
        """,
        """
        module A.B 4<5-25
        class A.B.Foo 6-23
        constant A.B.Foo.LIMIT 8-8
        method A.B.Foo.m? 10<11-15
        method A.B.Foo.create 17-17
        method A.B.Foo.inner 19-19
        method A.B.Foo.hid 21-21
        method A.B.Foo.dyn 22-22
        method A.B.y 24-24
        function top 26-26
        import: json@1 a/b@2
        inherit: Baz@6 Enumerable@7
        call: require@1 require_relative@2 include@7 foo@12 baz@13 Thing@14 new@14 private@21 define_method@22
        """,
    )


def test_php() -> None:
    check(
        "php",
        """\
        <?php
        namespace App\\Models;
        use Foo\\Bar;
        use Foo\\{A, B as C};
        require_once 'a/b.php';
        /** Documented. */
        #[Attr(1)]
        abstract class U extends Model implements I, \\J\\K {
          use SoftDeletes, T2;
          const LIMIT = 3;
          /** about it */
          public function __construct(private int $a) {
            parent::build($this->m(1), foo(2), new Zed(3), \\Q\\r());
          }
        }
        trait T { function a() {} }
        enum E: string implements I { case A = 'a'; }
        function top() {}
        define('Y', 2);
        ?>
        <b><?= e() ?></b>
        """,
        """
        class U 6<7-15
        constant U.LIMIT 10-10
        method U.__construct 11<12-14
        trait T 16-16
        method T.a 16-16
        enum E 17-17
        function top 18-18
        constant Y 19-19
        import: Bar@3 A@4 B@4 a/b.php@5
        inherit: Model@8 I@8 K@8 SoftDeletes@9 T2@9
        call: Attr@7 build@13 m@13 foo@13 Zed@13 r@13 define@19 e@21
        """,
    )


def test_bash() -> None:
    check(
        "bash",
        """\
        #!/bin/bash
        source lib.sh
        . "$dir/x.sh"
        LIMIT=3
        readonly X=1
        # Documented.
        function foo { bar 1; }
        baz() (
          qux | other "$(inner)"
        )
        """,
        """
        constant LIMIT 4-4
        constant X 5-5
        function foo 6<7-7
        function baz 8-10
        import: lib.sh@2 $dir/x.sh@3
        call: source@2 .@3 bar@7 qux@9 other@9 inner@9
        """,
    )


def test_kotlin() -> None:
    check(
        "kotlin",
        """\
        package a.b

        import a.b.C
        import a.b.D as E

        /** Documented. */
        @Ann
        data class Foo<T>(val x: Int) : Base<T>(1), I, a.J {
          companion object {
            const val LIMIT = 3
            fun make() = Foo(1)
          }
          val p: Int
            get() = 1
          override suspend fun <U> m(u: U): Int {
            bar(this.baz())
            x?.qux { it.z() }
            return 1
          }
          constructor(a: String) : this(1)
        }
        interface I : K {
          fun f()
        }
        object Single : L()
        enum class En {
          A(1);
          fun y() {}
        }
        fun String.ext(): Int = 1
        fun <T> List<T>.generic() {}
        val LIM = 3
        typealias TA = Int
        """,
        """
        class Foo 6<7-21
        constant Foo.LIMIT 10-10
        method Foo.make 11-11
        property Foo.p 13-14
        method Foo.m 15-19
        method Foo.constructor 20-20
        interface I 22-24
        method I.f 23-23
        object Single 25-25
        enum En 26-29
        method En.y 28-28
        function ext 30-30
        function generic 31-31
        constant LIM 32-32
        type TA 33-33
        import: C@3 D@4
        inherit: Base@8 I@8 J@8 K@22 L@25
        call: Ann@7 Foo@11 bar@16 baz@16 qux@17 z@17
        """,
    )


def test_swift() -> None:
    check(
        "swift",
        """\
        import Foundation
        @testable import struct Foo.Bar

        /// Documented.
        @objc public class Foo<T>: Base<T>, P, N.Q {
          static let limit = 3
          var c: Int { return 1 }
          var stored = 1
          /// makes
          init(a: Int) {
            super.init()
            bar(self.baz())
            x?.qux { }
            Zed<Int>()
          }
          func m<U>(u: U) -> Int where U: V { return 1 }
          enum K: String { case a, b; func f() {} }
        }
        protocol P: AnyObject, R { func req() }
        struct S { }
        extension Foo where T == Int { func ext() {} }
        func top() {}
        typealias TA = Int
        actor Act { func a() async {} }
        """,
        """
        class Foo 4<5-18
        constant Foo.limit 6-6
        property Foo.c 7-7
        method Foo.init 9<10-15
        method Foo.m 16-16
        enum Foo.K 17-17
        method Foo.K.f 17-17
        interface P 19-19
        method P.req 19-19
        struct S 20-20
        extension Foo 21-21
        method Foo.ext 21-21
        function top 22-22
        type TA 23-23
        class Act 24-24
        method Act.a 24-24
        import: Foundation@1 Foo.Bar@2
        inherit: Base@5 P@5 Q@5 String@17 AnyObject@19 R@19
        call: init@11 bar@12 baz@12 qux@13 Zed@14
        """,
    )


def test_scala() -> None:
    check(
        "scala",
        """\
        package a.b
        import a.b.C
        import a.{D, E => F}
        import a.x._

        /** Documented. */
        @ann
        case class Foo[T](x: Int) extends Base[T](1) with I with N.J {
          // about m
          def m[U](u: U): Int = { bar(this.baz(2)); new Zed(1); f[Int](2) }
          type Q = Int
        }
        object Foo extends L {
          val K = 1
          def apply() = 1
        }
        trait I { def f(): Unit }
        given intOrd: Ord[Int] with { def compare(a: Int) = 1 }
        extension (s: String) def ext: Int = 1
        enum Color { case Red; case Green(x: Int) extends Color }
        def top() = 1
        """,
        """
        class Foo 6<7-12
        method Foo.m 9<10-10
        type Foo.Q 11-11
        object Foo 13-16
        constant Foo.K 14-14
        method Foo.apply 15-15
        trait I 17-17
        method I.f 17-17
        object intOrd 18-18
        method intOrd.compare 18-18
        extension String 19-19
        method String.ext 19-19
        enum Color 20-20
        class Color.Green 20-20
        function top 21-21
        import: C@2 D@3 E@3 x@4
        inherit: Base@8 I@8 J@8 L@13 Color@20
        call: ann@7 bar@10 baz@10 Zed@10 f@10
        """,
    )


def test_lua() -> None:
    check(
        "lua",
        """\
        local json = require("json")
        local M = {}
        -- Documented.
        function M.foo(a) bar(1) end
        function M:meth() self:baz(M.q.r(3)) end
        local function loc() end
        M.fn = function() end
        local t = { k = function() end }
        require "x"
        """,
        """
        constant M 2-2
        method M.foo 3<4-4
        method M.meth 5-5
        function loc 6-6
        method M.fn 7-7
        constant t 8-8
        method t.k 8-8
        import: json@1 x@9
        call: require@1 bar@4 baz@5 r@5
        """,
    )


def test_elixir() -> None:
    check(
        "elixir",
        """\
        defmodule Foo.Bar do
          @moduledoc "x"
          use GenServer
          alias A.{C, D}
          import Ecto.Query, only: [from: 2]
          @behaviour Beh
          @limit 3
          @type t :: %__MODULE__{}

          # above
          @doc '''
          Documented.
          '''
          @spec m(integer) :: integer
          def m(a, b \\\\ 1) when a > 1 do
            Mod.bar(%User{a: 1})
            x |> baz()
          end

          defp priv, do: 1
          defmacro mac(x), do: x
        end

        defprotocol P do
          def f(x)
        end

        defimpl P, for: Integer do
          def f(x), do: x
        end
        """,
        """
        module Foo.Bar 1-22
        constant Foo.Bar.limit 7-7
        type Foo.Bar.t 8-8
        function Foo.Bar.m 10<15-18
        function Foo.Bar.priv 20-20
        macro Foo.Bar.mac 21-21
        interface P 24-26
        method P.f 25-25
        impl P 28-30
        method P.f 29-29
        import: C@4 D@4 Ecto.Query@5
        inherit: GenServer@3 Beh@6
        call: m@14 bar@16 User@16 baz@17
        """,
    )


def test_zig() -> None:
    check(
        "zig",
        """\
        const std = @import("std");
        /// Documented.
        pub const Foo = struct {
            x: i32,
            pub fn init(a: i32) Foo {
                return bar(a);
            }
        };
        const E = enum { a };
        fn top() void {
            std.debug.print("x", .{});
        }
        test "it works" {}
        const limit: u32 = 3;
        """,
        """
        struct Foo 2<3-8
        method Foo.init 5-7
        enum E 9-9
        function top 10-12
        function it works 13-13
        constant limit 14-14
        import: std@1
        call: bar@6 print@11
        """,
    )


def test_terraform() -> None:
    check(
        "terraform",
        """\
        # Documented.
        resource "aws_s3" "b" {
          z = foo(1)
          lifecycle { a = 1 }
        }
        variable "v" {}
        locals { a = 1 }
        module "m" { source = "./x" }
        """,
        """
        section resource.aws_s3.b 1<2-5
        section variable.v 6-6
        section locals 7-7
        section module.m 8-8
        import: ./x@8
        call: foo@3
        """,
    )


def test_toml_tables_are_sections() -> None:
    check(
        "toml",
        """\
        a = 1
        # about ruff
        [tool.ruff]
        x = 1

        [[bin]]
        name = "a"
        ["q r"]
        """,
        """
        section tool.ruff 2<3-5
        section bin 6-7
        section q r 8-8
        """,
    )


def test_yaml_sections_hold_more_than_a_value() -> None:
    check(
        "yaml",
        """\
        name: x
        on: [push]
        # about jobs
        jobs:
          build:
            steps:
              - run: a
        "q":
          - 1
        ---
        other:
          a: 1
        """,
        """
        section jobs 3<4-7
        section q 8-9
        section other 11-12
        """,
    )


def test_json_sections_hold_more_than_a_value() -> None:
    check(
        "json",
        """\
        {
          "name": "x",
          "scripts": {
            "a": "b"
          },
          "files": [1]
        }
        """,
        """
        section scripts 3-5
        section files 6-6
        """,
    )


def test_cpp_macros_without_a_meaning_for_the_grammar_hide_nothing() -> None:
    check(
        "cpp",
        """\
        QT_BEGIN_NAMESPACE
        class Q_GUI_EXPORT Foo : public QObject
        {
            Q_OBJECT
        public:
            int bar() const { return 1; }
        };
        QT_END_NAMESPACE
        static inline std::vector<int> make(int n)
        {
            return {n};
        }
        """,
        """
        class Foo 2-7
        method Foo.bar 6-6
        function make 9-12
        inherit: QObject@2
        """,
    )


BROKEN = {
    "bash": ("before() { a; }", "broken() { a=( ; }", "after() { b; }"),
    "c": ("int before(void) { return 1; }", "int x = = );", "int after(void) { return 1; }"),
    "cpp": ("void before() {}", "int x = = );", "void after() {}"),
    "csharp": ("class before { }", "int x = = );", "class after { }"),
    "elixir": ("def before(), do: 1", "x = = )", "def after(), do: 2"),
    "go": ("func before() {}", "func broken() { x := }", "func after() {}"),
    "java": ("class before { }", "int x = = );", "class after { }"),
    "javascript": ("function before() {}", "function broken() { let x = ; }", "function after() {}"),
    "kotlin": ("fun before() {}", "fun broken() { val x = }", "fun after() {}"),
    "lua": ("function before() end", "function broken() x = end", "function after() end"),
    "php": ("<?php function before() {}", "$x = = );", "function after() {}"),
    "python": ("def before(): pass", "x = = )", "def after(): pass"),
    "ruby": ("def before; end", "x = = )", "def after; end"),
    "rust": ("fn before() {}", "let x = = );", "fn after() {}"),
    "scala": ("def before() = 1", "val x = = )", "def after() = 2"),
    "swift": ("func before() {}", "let x = = )", "func after() {}"),
    "terraform": ('variable "before" {}', 'variable "broken" { x = }', 'variable "after" {}'),
    "toml": ("[before]", "x = = 1", "[after]"),
    "zig": ("fn before() void {}", "const x = = );", "fn after() void {}"),
}


@pytest.mark.parametrize("language", BROKEN)
def test_what_stands_around_an_error_is_found(language: str) -> None:
    found = {name.rpartition(".")[2] for name in names(language, "\n\n".join(BROKEN[language]) + "\n")}
    assert {"before", "after"} <= found
