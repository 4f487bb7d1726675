"""What a path tells of a file."""

import pytest

from cidx.search.roles import Role, bearing, is_entrance, next_version


@pytest.mark.parametrize(
    ("path", "language", "role"),
    [
        ("src/parser.c", "c", Role.SOURCE),
        ("src/testing.py", "python", Role.SOURCE),
        ("lib/contest.rb", "ruby", Role.SOURCE),
        ("lib/latest.ts", "typescript", Role.SOURCE),
        ("tests/helpers.py", "python", Role.TEST),
        ("pkg/parser_test.go", "go", Role.TEST),
        ("src/parser.spec.ts", "typescript", Role.TEST),
        ("src/main/java/ParserTest.java", "java", Role.TEST),
        ("spec/parser_spec.rb", "ruby", Role.TEST),
        ("test_parser.py", "python", Role.TEST),
        ("src/win/core.c", "c", Role.FOREIGN),
        ("pkg/path_windows.go", "go", Role.FOREIGN),
        ("src/window.c", "c", Role.SOURCE),
        ("examples/hello.rs", "rust", Role.ASIDE),
        ("third_party/zlib/inflate.c", "c", Role.ASIDE),
        ("types/index.d.ts", "typescript", Role.ASIDE),
        ("pkg/__init__.py", "python", Role.ASIDE),
        ("package.json", "json", Role.ASIDE),
        ("docs/guide.md", "markdown", Role.PROSE),
        ("LICENSE", "text", Role.PROSE),
    ],
)
def test_roles(path: str, language: str, role: Role) -> None:
    assert bearing(path.encode(), language).role is role


def test_names_are_told_in_stems() -> None:
    found = bearing(b"src/web/handlers/RotatingFileHandler.php", "php")
    assert found.name == {"rotat", "fil", "handl"}
    assert found.folders == {"web", "handl"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"api/v1/types.go", b"api/v2/"),
        (b"v9/a.ts", b"v10/"),
        (b"v1/pkg/v3/odd\xff/a.py", b"v1/pkg/v4/"),
        (b"src/v.py", None),
        (b"src/v2.py", None),
    ],
)
def test_the_folder_of_the_next_version(path: bytes, expected: bytes | None) -> None:
    assert next_version(path) == expected


def test_what_a_later_version_replaces_is_superseded() -> None:
    assert bearing(b"v1/a.py", "python", superseded=True).role is Role.SUPERSEDED
    assert bearing(b"v1/tests/a.py", "python", superseded=True).role is Role.TEST


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"pkg/__init__.py", True),
        (b"src/extract/mod.rs", True),
        (b"index.ts", True),
        (b"src/model.rs", False),
    ],
)
def test_faces_of_folders(path: bytes, expected: bool) -> None:
    assert is_entrance(path) is expected
