"""Ignore rules and likely secrets."""

import pytest

from cidx.index import ignore


def check(files: dict[str, str], paths: dict[str, bool], *, exclude: tuple[str, ...] = ()) -> None:
    """`files` are ignore files by folder; `paths` say what is kept."""
    rules = ignore.Rules()
    for folder, content in files.items():
        rules.add(folder.encode(), content.encode())
    kept = ignore.keep([path.encode() for path in paths], rules=rules, exclude=exclude)
    assert kept == [path.encode() for path, expected in paths.items() if expected]


def test_patterns_of_the_root() -> None:
    check(
        {"": "*.log\n/build\ndocs/*.pdf\n# comment\n\n"},
        {
            "a.log": False,
            "x/b.log": False,
            "build/c": False,
            "x/build/c": True,
            "docs/a.pdf": False,
            "a.pdf": True,
        },
    )


def test_the_last_match_wins() -> None:
    check({"": "*.log\n!keep.log\n"}, {"a.log": False, "x/keep.log": True})


def test_nested_ignore_can_unignore() -> None:
    check({"": "*.log\n", "x": "!*.log\n"}, {"a.log": False, "x/a.log": True, "x/y/a.log": True})


def test_what_is_in_an_ignored_folder_stays_ignored() -> None:
    check(
        {"": "build/\n!build/keep.txt\n"},
        {"build/keep.txt": False, "build/x/y.txt": False, "rebuild/a.txt": True},
    )


def test_rules_of_a_folder_do_not_reach_beside_it() -> None:
    check({"x": "*.py\n"}, {"x/a.py": False, "y/a.py": True, "a.py": True, "xx/a.py": True})


def test_a_broken_line_is_passed_over() -> None:
    check({"": "!\n\\\n[z-a]\n*.log\r\n"}, {"a.log": False, "b.py": True})


def test_the_setting_excludes_too() -> None:
    check({}, {"gen/a.py": False, "a.py": True}, exclude=("gen/",))


@pytest.mark.parametrize(
    "path",
    [
        ".env", "x/.env", ".env.local", "prod.env", "id_rsa", "ssh/id_ed25519", "server.pem", "a/b.key", "x.p12",
        ".npmrc", ".aws/credentials", "home/.docker/config.json", "credentials.json", ".netrc",
    ],
)  # fmt: skip
def test_likely_secrets_are_left_out(path: str) -> None:
    check({}, {path: False})


@pytest.mark.parametrize(
    "path", [".env.example", ".env.sample", "id_rsa.pub", "keys.py", "env.py", "environment", "key"]
)
def test_what_only_looks_like_a_secret_stays(path: str) -> None:
    check({}, {path: True})


def test_a_secret_can_be_asked_for_by_name() -> None:
    check({"": "!.env\n"}, {".env": True, "server.pem": False})
