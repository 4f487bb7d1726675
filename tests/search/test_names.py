"""Definitions, uses, and neighbours of a place."""

from pathlib import Path

import pytest

from tests.kit import Tree

CODE = {
    "shop/basket.py": "class Basket(Container):\n    def add(self, item):\n        self.items.append(item)\n\n"
    "    def addAll(self, items):\n        for item in items:\n            self.add(item)\n\n\n"
    "def add_tax(sum):\n    return sum * 2\n",
    "shop/order.py": "from shop.basket import Basket, add_tax\n\n\ndef order():\n    basket = Basket()\n"
    "    basket.add('tea')\n    return add_tax(3)\n",
    "web/cart.ts": "export class Cart {\n  add(item: string) {\n    this.items.push(item);\n  }\n}\n",
    "readme.md": "# Shop\n\nAdd things to a Basket.\n",
    "data.bin": "\0",
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    tree = Tree(tmp_path_factory.mktemp("names")).write(CODE).commit()
    tree.index()
    return tree


def places(tree: Tree, *line: str, key: str = "symbol") -> list[str]:
    ran = tree.run(*line, "--json")
    assert ran.code in (0, 1), ran
    return [f"{hit['path']}:{hit['start_line']} {hit[key]}" for hit in ran.json["hits"]]


def test_definitions_come_by_how_well_they_fit(tree: Tree) -> None:
    assert places(tree, "symbols", "add") == [
        "shop/basket.py:2 Basket.add",
        "web/cart.ts:2 Cart.add",
        "shop/basket.py:5 Basket.addAll",
        "shop/basket.py:10 add_tax",
    ]
    assert places(tree, "symbols", "ADD", "-l", "2") == places(tree, "symbols", "add", "-l", "2")
    assert places(tree, "symbols", "ADD", "--case-sensitive") == []
    assert places(tree, "symbols", "tax") == ["shop/basket.py:10 add_tax"]


def test_a_dotted_name_is_looked_for_within(tree: Tree) -> None:
    assert places(tree, "symbols", "Cart.add") == ["web/cart.ts:2 Cart.add"]
    assert places(tree, "symbols", "Nothing.add") == []


def test_definitions_by_kind_language_and_path(tree: Tree) -> None:
    assert places(tree, "symbols", "--kind", "class") == ["shop/basket.py:1 Basket", "web/cart.ts:1 Cart"]
    assert places(tree, "symbols", "add", "--language", "ts") == ["web/cart.ts:2 Cart.add"]
    assert places(tree, "symbols", "--path-filter", "order.py") == ["shop/order.py:4 order"]
    ran = tree.run("symbols", "--kind", "clas")
    assert ran.code == 2
    assert "class" in ran.err


def test_a_definition_has_its_lines_kind_and_name(tree: Tree) -> None:
    hit = tree.run("symbols", "addAll", "--json").json["hits"][0]
    assert (hit["start_line"], hit["end_line"], hit["kind"]) == (5, 7, "method")
    assert hit["matches"] == [{"line": 5, "column": 9, "end_column": 15}]
    assert hit["text"].startswith("    def addAll(")


def test_letters_that_mean_something_to_the_database_do_not(tree: Tree) -> None:
    for name in ("%", "a_d", "\\", "'", '"', "add%"):
        assert places(tree, "symbols", name) == []
    assert places(tree, "symbols", "d_t") == ["shop/basket.py:10 add_tax"]


def test_every_definition_without_a_name(tree: Tree) -> None:
    ran = tree.run("symbols", "--json", "-l", "0")
    assert len(ran.json["hits"]) == 8
    assert ran.json["more"] is False
    assert tree.run("symbols", "--json", "-l", "2").json["more"] is True


def test_uses_come_by_place_with_their_kind(tree: Tree) -> None:
    assert places(tree, "refs", "Basket", key="kind") == ["shop/order.py:1 import", "shop/order.py:5 call"]
    assert places(tree, "refs", "add", key="kind") == ["shop/basket.py:7 call", "shop/order.py:6 call"]
    assert places(tree, "refs", "Container", key="kind") == ["shop/basket.py:1 inherit"]
    assert places(tree, "refs", "Basket", "--kind", "call", key="symbol") == ["shop/order.py:5 order"]
    assert places(tree, "refs", "shop.basket.Basket", "-l", "1", key="kind") == ["shop/order.py:1 import"]
    assert tree.run("refs", "nowhere").code == 1


def test_a_use_that_is_no_longer_there_is_not_shown(tmp_path: Path) -> None:
    tree = Tree(tmp_path).write(CODE).commit()
    tree.index()
    tree.run("config", "set", "daemon.auto_index", "false")
    tree.write({"shop/order.py": "from shop.basket import Basket\n"})
    assert places(tree, "refs", "Basket", key="kind") == ["shop/order.py:1 import"]
    (tree.root / "shop/order.py").unlink()
    assert places(tree, "refs", "Basket", key="kind") == []
    assert places(tree, "symbols", "order") == []


def test_neighbours_of_a_place_without_itself(tree: Tree) -> None:
    found = places(tree, "similar", "shop/basket.py:2")
    assert "web/cart.ts:1 Cart" in found[:2]
    assert not any(place.startswith("shop/basket.py:1 ") for place in found)
    assert places(tree, "similar", "shop/basket.py:2", "--language", "ts") == ["web/cart.ts:1 Cart"]
    hit = tree.run("similar", "shop/basket.py:2", "--json").json["hits"][0]
    assert hit["matched_by"] == ["semantic"]
    least = str(hit["score"] - 0.001)
    assert len(places(tree, "similar", "shop/basket.py:2", "--min-score", least)) == 1


@pytest.mark.parametrize("accuracy", ["fast", "balanced", "high"])
def test_a_small_set_is_looked_through_wholly(tree: Tree, accuracy: str) -> None:
    assert places(tree, "similar", "shop/basket.py:2", "--accuracy", accuracy) == places(
        tree, "similar", "shop/basket.py:2"
    )


def test_a_place_may_be_written_as_hits_are(tree: Tree) -> None:
    expected = places(tree, "similar", "shop/basket.py:2")
    for place in (
        "shop/basket.py:2-7",
        "./shop/basket.py:2:9",
        "shop/basket.py:2:9:    def add(self, item):",
    ):
        assert places(tree, "similar", place) == expected
    below = tree.run("similar", "basket.py:2", "--json", directory=tree.root / "shop").json["hits"]
    assert below[0]["path"] == expected[0].partition(":")[0]
    from_root = tree.run("similar", "shop/basket.py:2", "--json", directory=tree.root / "web").json["hits"]
    assert from_root == below


@pytest.mark.parametrize(
    ("place", "code", "what"),
    [
        ("shop/basket.py", "usage", "is not a place in a file"),
        ("nothing.py:1", "bad-query", "nothing.py is not in the index"),
        ("shop/basket.py:999", "bad-query", "has no line 999"),
        ("shop/basket.py:0", "bad-query", "has no line 0"),
        ("data.bin:1", "bad-query", "was not indexed"),
        ("../outside.py:1", "bad-query", "is not in this repository"),
        ("shop/basket.py:99999999999999999999999", "bad-query", "has no line"),
    ],
)
def test_a_place_that_is_none_says_why(tree: Tree, place: str, code: str, what: str) -> None:
    ran = tree.run("similar", place)
    assert ran.code == 2
    assert what in ran.err
    assert f"[{code}]" in ran.err
    assert "next:" in ran.err


def test_an_empty_name_is_no_question(tree: Tree) -> None:
    assert tree.run("refs", "").code == 2
