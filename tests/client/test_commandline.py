"""The little that the client understands of a command line agrees with what click makes of it."""

import itertools
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cidx import cli
from cidx.cli.application import application
from cidx.cli.commands import query as query_module
from cidx.cli.commands import refs, similar, symbols
from cidx.cli.session import Session
from cidx.client import commandline
from tests.kit import Tree

query = query_module.command
DELEGATED = {"query": query, "similar": similar.command, "symbols": symbols.command, "refs": refs.command}


def options(command: click.Command) -> list[click.Option]:
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def names(found: list[click.Option], *, flags: bool) -> set[str]:
    return {name for option in found if option.is_flag == flags for name in option.opts}


def test_every_delegated_command_is_one_whose_options_are_known() -> None:
    assert set(DELEGATED) == commandline.DELEGATED


def test_every_option_of_a_delegated_command_is_known_with_or_without_a_value() -> None:
    everywhere = names(options(application), flags=True), names(options(application), flags=False)
    assert everywhere[0] == commandline.GLOBAL_FLAGS | {"--standalone", "--version"}
    assert everywhere[1] == {"-C", "--directory"}
    found = [option for command in DELEGATED.values() for option in options(command)]
    assert names(found, flags=True) - everywhere[0] == commandline.FLAGS
    assert names(found, flags=False) - everywhere[1] == commandline.VALUES
    assert not commandline.FLAGS & commandline.VALUES
    for option in found + options(application):
        assert option.nargs == 1
        assert not option.secondary_opts, "--this/--that is not understood here"
        assert not option.is_flag or option.count is False


def check(argv: list[str], expected: str | None) -> None:
    assert commandline.starting_folder(argv, "/w") == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("query x", "/w"),
        ("query", "/w"),
        ("query x y -- -z", "/w"),
        ("query - x", "/w"),
        ("similar -C a b.py:3", "/w/a"),
        ("symbols", "/w"),
        ("symbols --kind class -l0", "/w"),
        ("refs --kind call x", "/w"),
        ("query -h", "/w"),
        ("-v query x", "/w"),
        ("query --limit 3 -q x --json", "/w"),
        ("query -l3 --language=py x", "/w"),
        ("query x -C a", "/w/a"),
        ("query x -Ca", "/w/a"),
        ("-C a query x", "/w/a"),
        ("--directory=a query --directory b x", "/w/a/b"),
        ("-C a -C b query x", "/w/b"),
        ("-C a query -C b -C c x", "/w/a/c"),
        ("-C /a query x -C b", "/a/b"),
        ("query -C /a x", "/a"),
        ("query -C a -- -C b", "/w/a"),
        ("query --path-filter -- x", None),
        ("query -l -3 x", None),
        ("query x -C -q", None),
        ("query x -C", None),
        ("query x --limit", None),
        ("query x --standalone", None),
        ("--standalone query x", None),
        ("query x --version", None),
        ("--version query x", None),
        ("query x --fts=1", None),
        ("query x -qv", None),
        ("query x -qC a", None),
        ("query x --unknown", None),
        ("query x --lim 3", None),
        ("--limit 3 query x", None),
        ("--fts query x", None),
        ("-- query x", None),
        ("status", None),
        ("index query", None),
        ("-C query x", None),
        ("", None),
        ("-h", None),
    ],
)
def test_the_folder_is_known_or_left_to_click(line: str, expected: str | None) -> None:
    check(line.split(), expected)


def test_an_empty_folder_is_no_move() -> None:
    check(["query", "-C", "", "x"], "/w")
    check(["query", "--directory=", "x"], "/w")
    check(["", "query"], None)


words = st.sampled_from(
    [
        *commandline.FLAGS, *commandline.VALUES, *commandline.GLOBAL_FLAGS,
        "-C", "-Ca", "-C=a", "--directory", "--directory=a", "--directory=..", "--standalone", "--version",
        "--limit=3", "-l3", "-ql3", "-qCa", "--fts=x", "--nonsense",
        "query", "query", "status", "a", "b", "a/b", "..", ".", "3", "text", "json", "-", "--", "",
    ]
)  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(before=st.lists(words, max_size=3), after=st.lists(words, max_size=5))
def test_click_starts_in_the_same_folder(tree: Tree, before: list[str], after: list[str]) -> None:
    """Whatever the client delegates: else the wrong daemon would be asked."""
    for folder in ("a/b", "b/a"):
        (tree.root / folder).mkdir(parents=True, exist_ok=True)
    argv = [*before, "query", *after]
    found = commandline.starting_folder(argv, str(tree.root))
    if found is None:
        return
    session, _, _ = tree.session()
    # Help and usage errors, which end before the command, are the same in every folder.
    if reaches_query(argv, session):
        assert Path(found).resolve() == session.directory.resolve()


def reaches_query(argv: list[str], session: Session) -> bool:
    """Parse as the application does, and note the command instead of running it."""
    reached: list[str] = []
    kept = query.callback
    query.callback = lambda **_: reached.append("query")
    try:
        cli.run(argv, session)
    finally:
        query.callback = kept
    return bool(reached)


def test_short_and_long_spellings_agree(make_tree: Callable[[str], Tree]) -> None:
    for spelled in itertools.product(["-C", "--directory"], ["a", "/a"]):
        check(["query", *spelled, "x"], "/w/a" if spelled[1] == "a" else "/a")
