"""`cidx clean`: remove the index, and only that unless asked for more."""

import shutil

import click

from cidx.cli.application import Command
from cidx.cli.session import Session


@click.command(cls=Command)
@click.option("--all", "everything", is_flag=True, help="Remove the configuration too.")
@click.pass_obj
def command(session: Session, everything: bool) -> None:
    """Remove the index. Source files and, without --all, the configuration stay."""
    from cidx.repository import lock
    from cidx.repository.repository import write_failure

    repository = session.repository()
    if not repository.folder.is_dir():
        session.out.line(f"nothing to remove in {repository.root}")
        return
    target = repository.folder if everything else repository.index_folder
    with lock.writing(repository.folder, wait=False):
        if not target.exists():
            session.out.line(f"nothing to remove in {repository.root}")
            return
        try:
            shutil.rmtree(target)
        except OSError as error:
            raise write_failure(error, target) from error
    session.out.line(f"removed {target}")
