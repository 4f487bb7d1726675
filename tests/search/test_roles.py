"""What a path tells of a file."""

import pytest

from cidx.search.roles import Role, bearing


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
