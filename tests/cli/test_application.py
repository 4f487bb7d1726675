"""The command line itself: help, global options, errors, and what it leaves alone."""

import json
import os
from pathlib import Path

import click
import pytest

from cidx.api.errors import Code
from cidx.api.versions import VERSION
from cidx.cli.application import COMMANDS, application
from cidx.cli.session import Terminal
from cidx.repository import lock
from tests.kit import Tree

DOCS = Path(__file__).parents[2] / "docs"


def every_command(group: click.Group, *above: str) -> list[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append(((*above, name), command))
        if isinstance(command, click.Group):
            found += every_command(command, *above, name)
    return found


ALL = every_command(application)


@pytest.mark.parametrize("words", [words for words, _ in ALL], ids=" ".join)
def test_every_command_has_help_and_global_options(plain_tree: Tree, words: tuple[str, ...]) -> None:
    ran = plain_tree.run(*words, "--help")
    assert (ran.code, ran.err) == (0, "")
    for option in ("-C, --directory", "--standalone", "-v, --verbose", "--version", "-h, --help"):
        assert option in ran.out


@pytest.mark.parametrize(
    "command", [command for _, command in ALL], ids=[" ".join(words) for words, _ in ALL]
)
def test_every_option_says_what_it_does(command: click.Command) -> None:
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name != "format_":
            assert parameter.help, parameter.name


@pytest.mark.parametrize("words", [words for words, _ in ALL], ids=" ".join)
def test_every_command_is_documented(words: tuple[str, ...]) -> None:
    assert f"`cidx {' '.join(words)}" in (DOCS / "commands.md").read_text()


def test_every_option_is_documented() -> None:
    text = (DOCS / "commands.md").read_text()
    for _, command in ALL:
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert any(f"`{name}" in text for name in parameter.opts), parameter.opts


@pytest.mark.parametrize("code", list(Code), ids=lambda code: code.slug)
def test_every_error_has_its_heading_in_troubleshooting(code: Code) -> None:
    assert f"\n## {code.slug}\n" in (DOCS / "troubleshooting.md").read_text()


def test_without_a_command_it_shows_help(plain_tree: Tree) -> None:
    ran = plain_tree.run()
    assert ran.code == 0
    assert all(name in ran.out for name in COMMANDS)


@pytest.mark.parametrize("argv", [["--version"], ["query", "--version"]])
def test_the_version_before_and_after_the_command(plain_tree: Tree, argv: list[str]) -> None:
    assert plain_tree.run(*argv).out == f"cidx {VERSION}\n"


def test_the_directory_before_and_after_the_command(tree: Tree, tmp_path: Path) -> None:
    tree.write({"sub/a.py": "needle = 1\n"}).commit()
    tree.index()
    root = str(tree.root)
    for argv in (["-C", root, "query", "-q", "needle"], ["query", "-q", "needle", "-C", root]):
        assert tree.run(*argv, directory=tmp_path).out == "sub/a.py:1-1\n"
    assert tree.run("-C", "sub", "query", "-q", "needle").out == "a.py:1-1\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["qurey"], "did you mean query"),
        (["xyz"], "No such command 'xyz'"),
        (["query"], "Missing argument"),
        (["query", "--lim", "3", "x"], "--limit"),
        (["query", "-l", "-1", "x"], "not in the range"),
        (["query", "-l", "many", "x"], "not a valid integer"),
        (["query", "--format", "xml", "x"], "'text', 'json'"),
        (["config", "sett"], "did you mean set"),
        (["completion", "tcsh"], "'bash', 'zsh', 'fish'"),
        (["index", "extra"], "unexpected extra argument"),
        (["-C", "/nonexistent", "index"], "is not a folder"),
    ],
)
def test_a_wrong_command_line_is_explained(plain_tree: Tree, argv: list[str], said: str) -> None:
    ran = plain_tree.run(*argv)
    assert (ran.code, ran.out) == (2, "")
    what, why, next_step = ran.err.splitlines()
    assert what.startswith("cidx: ")
    assert what.endswith(" [usage]")
    assert why.startswith("  why:  ")
    assert next_step.startswith("  next: ")
    assert said in what


def test_errors_are_json_where_json_is_asked_for(plain_tree: Tree) -> None:
    ran = plain_tree.run("query", "--json", "x")
    assert ran.code == 3
    error = json.loads(ran.out)["error"]
    assert error["code"] == "not-a-repository"
    assert set(error) == {"code", "what", "why", "next_step"}
    assert ran.err == ""


def test_not_indexed_says_what_to_do(tree: Tree) -> None:
    ran = tree.run("query", "x")
    assert ran.code == 3
    assert "[not-indexed]" in ran.err
    assert "next: cidx index" in ran.err


def test_a_first_index_in_the_making_is_named(tree: Tree) -> None:
    tree.run("init")
    with lock.writing(tree.repository.folder, wait=False):
        ran = tree.run("query", "x")
    assert ran.code == 3
    assert f"it is being made right now, by process {os.getpid()}" in ran.err


def test_help_fits_the_terminal(plain_tree: Tree) -> None:
    for columns in (50, 90):
        lines = plain_tree.run("query", "--help", terminal=Terminal(columns=columns)).out.splitlines()
        assert max(map(len, lines)) <= columns


def test_verbose_says_what_is_done(tree: Tree) -> None:
    tree.write({"a.py": "x = 1\n"})
    ran = tree.run("index", "-v")
    assert ran.code == 0
    assert "index published" in ran.err
    assert "generation=1" in ran.err
    assert "index published" not in tree.run("index", "--clear").err


def test_completion_knows_commands_and_options(tree: Tree) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_CIDX_COMPLETE" in tree.run("completion", shell).out
    ran = tree.process(_CIDX_COMPLETE="bash_complete", COMP_WORDS="cidx st", COMP_CWORD="1")
    assert ran.out.split() == ["plain,status"]
    ran = tree.process(_CIDX_COMPLETE="bash_complete", COMP_WORDS="cidx query --sem", COMP_CWORD="2")
    assert ran.out.split() == ["plain,--semantic"]
