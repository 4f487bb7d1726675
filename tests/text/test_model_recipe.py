"""What the packaged model was made of: the sources that the recipe names, and nothing that it is measured by."""

import hashlib
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cidx.text import embedder

RECIPE = Path(__file__).parents[2] / "packaging" / "model"
NAMED = (
    "babel docutils hypothesis ipython matplotlib mypy numpy "
    "pillow pygments scikit-learn scipy setuptools sphinx twisted"
)
EVALUATED = "django networkx pandas requests sqlalchemy sympy"
DEVELOPMENT = "axum click cobra express flask gson httpx libuv monolog nlohmann sinatra zod"


def pinned(name: str) -> dict[str, tuple[str, str]]:
    """The version and hash of each package of a requirements file."""
    lines = (RECIPE / "requirements" / f"{name}.txt").read_text().splitlines()
    found = (re.fullmatch(r"(\S+)==(\S+) --hash=sha256:(\w{64})", line) for line in lines if line[:1] != "#")
    return {match[1]: (match[2], match[3]) for match in found if match}


@pytest.fixture(scope="module")
def manifest() -> Any:
    return json.loads((RECIPE / "manifest.json").read_text())


def step(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"model_{name}", RECIPE / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def corpus() -> ModuleType:
    return step("corpus")


def test_only_the_named_packages_are_mined() -> None:
    assert sorted(pinned("sources")) == NAMED.split()


def test_nothing_that_is_evaluated_is_mined() -> None:
    assert sorted(pinned("evaluation")) == EVALUATED.split()
    assert not set(pinned("sources")) & {*EVALUATED.split(), *DEVELOPMENT.split()}


def test_the_model_is_what_the_recipe_made_of_its_sources(manifest: Any) -> None:
    assert manifest["version"] == embedder.packaged().version
    assert manifest["sha256"] == hashlib.sha256(embedder.MODEL_FILE.read_bytes()).hexdigest()
    made_of = {
        name.replace("_", "-"): (source["version"], source["sha256"])
        for name, source in manifest["sources"].items()
        if name != "python"
    }
    assert made_of == pinned("sources")


def test_every_source_gave_pairs(manifest: Any) -> None:
    assert all(all(source["pairs"].values()) for source in manifest["sources"].values())


@pytest.mark.parametrize("name", [*EVALUATED.split(), *DEVELOPMENT.split()])
def test_copies_of_what_is_evaluated_are_left_out(corpus: ModuleType, name: str) -> None:
    assert not corpus.is_mined(f"package/{name}/core.py")
    assert not corpus.is_mined(f"package/{name.title()}.py")
    assert not corpus.is_mined(f"package/_vendor/{name}.py")


@pytest.mark.parametrize("path", ["scipy/sparse/tests/base.py", "setuptools/test/x.py", "a/test_b.py"])
def test_tests_are_left_out(corpus: ModuleType, path: str) -> None:
    assert not corpus.is_mined(path)


def test_other_files_are_mined(corpus: ModuleType) -> None:
    assert corpus.is_mined("scipy/sparse/_base.py")


def test_a_docstring_is_paired_with_the_code_without_it(corpus: ModuleType) -> None:
    said = '"""Read one more line.\n\n        Longer."""'
    text = f"class Reader:\n    def line(self):\n        {said}\n        return self.next()\n"
    (pair,) = corpus.pairs(corpus.SourceFile("a.py", text))
    assert (pair.kind, pair.text) == ("docstring", "Read one more line.")
    assert pair.code == "Reader.line\n    def line(self):\n        return self.next()"


def test_a_name_is_paired_with_the_body_alone(corpus: ModuleType) -> None:
    (pair,) = corpus.pairs(
        corpus.SourceFile("a.py", "def read_next_line(a, b, c):\n    return a(b, c, d, e)\n")
    )
    assert (pair.kind, pair.text) == ("name", "read next line")
    assert "read_next_line" not in pair.code


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "# Close what is still open.\nfor file in files:\n    file.close()\n\nx = 1\n"),
        ("a.c", "/* Close what is\n * still open. */\nfor file in files:\n    file.close()\n\nx = 1\n"),
        ("a.js", "// Close what is\n// still open.\nfor file in files:\n    file.close()\n\nx = 1\n"),
    ],
)
def test_a_comment_is_paired_with_the_code_below(corpus: ModuleType, path: str, text: str) -> None:
    (pair,) = corpus.pairs(corpus.SourceFile(path, text))
    assert (pair.kind, pair.text) == ("comment", "Close what is still open.")
    assert pair.code.split() == ["for", "file", "in", "files:", "file.close()"]


@pytest.mark.parametrize("said", ["Copyright 2020 of somebody or other", "x = f(1); y = g(2); z = h(3)"])
def test_licences_and_dead_code_describe_nothing(corpus: ModuleType, said: str) -> None:
    assert not list(
        corpus.pairs(corpus.SourceFile("a.py", f"# {said}\nfor file in files:\n    close(file)\n"))
    )


def test_identifiers_have_rows_where_many_say_them_and_come_behind_the_words() -> None:
    pairs = [["readLine", "a"]] * 8 + [["openFile", "a"]] * 7
    found = step("vocabulary").collect(pairs, ["english", "line"])
    assert found.terms == ["a", "line", "read", "file", "open", "english", "readline"]
    assert found.spoken == [*found.terms[:-1], "read line"]
    assert found.simple == len(found.terms) - 1
    assert found.shares[0] == 1.0
    assert found.shares[-1] == found.shares[1] == 8 / 15
