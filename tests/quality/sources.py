"""A fetched tree with its index, made and opened by the product itself."""

from pathlib import Path

from cidx.repository.repository import UserFolders
from tests.kit import Tree


class Sources(Tree):
    """A tree that exists, with a home beside its index that is nobody's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        home = root.parents[1] / "home"
        home.mkdir(exist_ok=True)
        self.users = UserFolders(home=home, config=home / ".config" / "cidx", cache=home / ".cache" / "cidx")
        self.runtime = home
