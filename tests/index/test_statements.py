"""SQL is read as what it creates."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cidx.index.chunker import outline
from cidx.index.statements import statements


def check(source: str, *expected: str) -> None:
    """Each statement as `kind path lead-start-end`."""
    lines = source.encode().splitlines(keepends=True)
    found = [
        f"{one.kind} {one.path} {one.lead_line}-{one.start_line}-{one.end_line}" for one in statements(lines)
    ]
    assert found == list(expected)


def test_a_table_reaches_to_its_semicolon() -> None:
    check(
        "-- who may log in\nCREATE TABLE users (\n  id int\n);\nINSERT INTO users VALUES (1);\n",
        "table users 1-2-4",
    )


def test_names_lose_their_quotes_and_keep_their_schema() -> None:
    check(
        'create table if not exists public."user" (id int);\n'
        "CREATE UNIQUE INDEX CONCURRENTLY by_name ON users (name);\n"
        "CREATE OR REPLACE VIEW [dbo].[active] AS\nSELECT 1;\n"
        "create materialized view `a`.`b` as select 1;\n",
        "table public.user 1-1-1",
        "index by_name 2-2-2",
        "view dbo.active 3-3-4",
        "view a.b 5-5-5",
    )


def test_a_routine_in_dollars_ends_where_they_do() -> None:
    check(
        "CREATE FUNCTION f() RETURNS int AS $body$\nBEGIN\n  SELECT 1;\nEND;\n$body$ LANGUAGE plpgsql\nIMMUTABLE;\n\n"
        "SELECT f();\n",
        "function f 1-1-6",
    )


def test_a_routine_without_quotes_reaches_to_the_comment_of_the_next() -> None:
    check(
        "CREATE PROCEDURE dbo.one AS\nBEGIN\n  SELECT 1;\nEND\nGO\n\n"
        "-- the other\nCREATE PROCEDURE dbo.two AS\nSELECT 2;\n",
        "procedure dbo.one 1-1-5",
        "procedure dbo.two 7-8-9",
    )


def test_what_is_created_within_a_routine_is_a_part_of_it() -> None:
    check("CREATE FUNCTION f() AS $$\n  CREATE TEMP TABLE t (a int);\n$$ LANGUAGE sql;\n", "function f 1-1-3")


def test_an_outline_has_its_symbols() -> None:
    found = outline(b"CREATE TABLE app.users (\n  id int\n);\n", "sql")
    assert [(one.name, one.path, one.kind) for one in found.symbols] == [("users", "app.users", "table")]
    assert [one.symbol for one in found.spans] == ["app.users"]


@given(
    st.lists(
        st.sampled_from([b"create table a (\n", b"$$\n", b");\n", b"-- x\n", b"\n", b"CREATE FUNCTION f\n"])
    )
)
def test_any_lines_give_statements_in_order(lines: list[bytes]) -> None:
    found = statements(lines)
    assert all(one.lead_line <= one.start_line <= one.end_line <= len(lines) for one in found)
    assert all(above.end_line < below.lead_line for above, below in pairwise(found))
