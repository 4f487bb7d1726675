"""`cidx init`: write the configuration, so that it can be edited and an index can be made."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cidx.api.errors import CidxError, Code
from cidx.cli.application import Command
from cidx.cli.session import Session

if TYPE_CHECKING:
    from cidx.repository.repository import Repository


@click.command(cls=Command)
@click.option(
    "--daemon/--no-daemon",
    "wants_daemon",
    default=None,
    help="Install the service too; or note that this repository wants none, and remove it.",
)
@click.option("--ttl-minutes", metavar="N", help="Idle minutes after which a daemon gives its memory back.")
@click.option("--force", is_flag=True, help="Write the configuration anew, with the defaults.")
@click.pass_obj
def command(session: Session, wants_daemon: bool | None, ttl_minutes: str | None, force: bool) -> None:
    """Prepare a repository: write .code-indexer/config.json.

    Inside git the repository is the whole working tree; elsewhere it is the current folder.
    """
    from cidx.repository import repository, settings

    found = repository.at(_root(session), session.users)
    setting = settings.SETTINGS["daemon.ttl_minutes"]
    ttl = settings.parse(setting, ttl_minutes, "--ttl-minutes") if ttl_minutes is not None else None
    repository.prepare(found)
    file = found.folder / settings.FILE
    fresh = force or not file.exists()
    if fresh:
        settings.write_file(file, settings.defaults())
    if ttl is not None:
        settings.write_value(file, setting, ttl)
    session.out.line(f"{'initialised' if fresh else 'already initialised:'} {found.root}")
    session.out.line(f"configuration: {file}")
    if found.why_elsewhere:
        session.out.line(f"kept there because {found.why_elsewhere}")
    if wants_daemon is not None:
        _set_up_service(session, found, wanted=wants_daemon)
    session.out.line("next: cidx index")


def _set_up_service(session: Session, repository: "Repository", *, wanted: bool) -> None:
    from cidx.cli import services
    from cidx.repository import settings

    if wanted:
        services.install(session, services.installer_of(session), [repository])
        return
    settings.write_value(repository.folder / settings.FILE, settings.SETTINGS["daemon.enabled"], value=False)
    services.remove(session, repository)


def _root(session: Session) -> Path:
    """The repository that is there already, else this folder."""
    from cidx.client import address

    home = str(session.users.home)
    found = address.find_root(str(session.directory), home=home)
    if found is not None:
        return Path(found)
    if address.covers_home(str(session.directory), home=home):
        raise CidxError(
            Code.USAGE,
            what=f"{session.directory} can't be a repository",
            why="it is the home folder or lies above it, and everything below would be indexed",
            next_step="run cidx init in the folder of one project",
        )
    return session.directory.resolve()
