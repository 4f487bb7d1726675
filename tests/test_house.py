"""The house keeps its shape: imports run one way, and every room says what it promises."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "cidx"

# Who may import whom (docs/architecture.md). A room may always import itself, and everybody the log.
ALLOWED = {
    "api": set(),
    "client": {"api.versions"},
    "repository": {"api", "client.address"},
    "text": {"api"},
    "store": {"text", "api"},
    "index": {"store", "text", "repository", "api"},
    "search": {"store", "text", "api"},
    "daemon": {"api", "client", "repository", "text", "store", "index", "search"},
    "supervisor": {"api", "repository", "client"},
    "cli": {"api", "client", "repository", "text", "store", "index", "search", "daemon", "supervisor"},
}
ROOMS = sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists())


def project_imports(file: Path) -> set[str]:
    """The project's modules that a file imports anywhere, without the leading `cidx.`."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("cidx.") for name in found if name.startswith("cidx.")}


def offends(room: str, imported: str) -> bool:
    allowed = {room, "log", *ALLOWED[room]}
    return not any(imported == name or imported.startswith(name + ".") for name in allowed)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room: str) -> None:
    offenders = [
        f"{file.relative_to(ROOT)} imports {imported}"
        for file in sorted((PACKAGE / room).rglob("*.py"))
        for imported in sorted(project_imports(file))
        if offends(room, imported)
    ]
    assert not offenders


def test_an_import_that_runs_back_up_is_found(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text("def f():\n    from cidx.index import files\n")
    assert [name for name in project_imports(file) if offends("search", name)] == ["index.files"]


def test_every_room_is_in_the_rule() -> None:
    assert set(ROOMS) == set(ALLOWED)


@pytest.mark.parametrize(
    "file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE))
)
def test_every_module_opens_with_its_promise(file: Path) -> None:
    promise = ast.get_docstring(ast.parse(file.read_text()))
    assert promise
    assert promise.split("\n")[0].endswith((".", ":"))


def test_only_one_module_knows_each_library() -> None:
    homes = {
        "tantivy": "store/fulltext.py",
        "sqlite3": "store/database.py",
        "hnswlib": "store/graph.py",
        "platformdirs": "repository/repository.py",
        "rpyc": "daemon/connection.py",
    }
    for library, home in homes.items():
        users = [
            str(file.relative_to(PACKAGE))
            for file in PACKAGE.rglob("*.py")
            if any(
                line.strip().startswith((f"import {library}", f"from {library}"))
                for line in file.read_text().splitlines()
            )
        ]
        assert users == [home]
