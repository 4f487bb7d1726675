"""The source of a command that runs in a process of its own: everything is opened for it, and nothing is kept."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cidx.api.errors import NotIndexed

if TYPE_CHECKING:
    from cidx.api.answer import Freshness, Hit
    from cidx.api.query import Query
    from cidx.repository.repository import Repository, UserFolders
    from cidx.repository.settings import Settings
    from cidx.store.snapshot import Snapshot


class OneShot:
    """See `cidx.cli.session.Source`."""

    served_by = "process"

    def __init__(self, users: "UserFolders") -> None:
        self._users = users
        self._repositories: dict[Path, Repository] = {}

    def repository(self, directory: Path) -> "Repository":
        from cidx.repository import repository

        # Asking git costs as much as half a hundred files.
        if directory not in self._repositories:
            self._repositories[directory] = repository.find(directory, self._users)
        return self._repositories[directory]

    def settings(self, repository: "Repository", environment: Mapping[str, str]) -> "Settings":
        from cidx.repository import settings

        return settings.load(repository.folder, self._users.config, environment)

    @contextmanager
    def published(self, repository: "Repository") -> "Iterator[Snapshot]":
        with _open(repository) as snapshot:
            yield snapshot

    @contextmanager
    def fresh(self, repository: "Repository", settings: "Settings") -> "Iterator[tuple[Snapshot, Freshness]]":
        from cidx.index.files import Listing

        # git lists the tree while numpy and the rest are being imported.
        with Listing(repository) as listing:
            from cidx.index import freshness
            from cidx.text import embedder

            with _open(repository) as snapshot:
                found = freshness.look(snapshot, listing, settings.index)
                fresh, indexed = freshness.refresh(
                    repository, snapshot, found, settings=settings, embedder=embedder.packaged()
                )
                if not indexed:
                    yield snapshot, fresh
                    return
        with _open(repository) as snapshot:
            yield snapshot, fresh

    def hits(
        self, snapshot: "Snapshot", fresh: "Freshness", query: "Query", retrieve: "Callable[[], list[Hit]]"
    ) -> "tuple[Hit, ...]":
        return tuple(retrieve())


def _open(repository: "Repository") -> "Snapshot":
    from cidx.store.snapshot import open_current

    try:
        return open_current(repository.index_folder)
    except NotIndexed as error:
        from cidx.repository import lock

        who = lock.holder(repository.folder)
        if not who:
            raise
        raise NotIndexed(
            what=error.what,
            why=f"it is being made right now, by {who}",
            next_step="ask again when it is done; cidx index waits for it",
        ) from None
