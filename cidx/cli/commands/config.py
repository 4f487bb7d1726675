"""`cidx config`: show and change settings, each with where it comes from."""

from typing import TYPE_CHECKING, Any

import click

from cidx.cli.application import Command, Group
from cidx.cli.options import json_option
from cidx.cli.session import Session

if TYPE_CHECKING:
    from cidx.repository.repository import Repository


@click.group(cls=Group, name="config")
@click.pass_context
def command(context: click.Context) -> None:
    """Show or change settings.

    Order of precedence: environment (CIDX_DAEMON_TTL_MINUTES=5), the repository's config.json, your own config.json,
    the default.
    """
    if context.invoked_subcommand is None:
        _show(context.obj, as_json=False)


@command.command("show", cls=Command)
@json_option()
@click.pass_obj
def show(session: Session, as_json: bool) -> None:
    """Every setting in force, and where it is set."""
    _show(session, as_json=as_json)


def _show(session: Session, *, as_json: bool) -> None:
    from cidx.cli import render
    from cidx.repository import settings

    repository = session.repository()
    origins = settings.origins(repository.folder, session.users.config, session.environment)
    if as_json:
        values = {path: {"value": value, "source": source} for path, (value, source) in origins.items()}
        session.out.line(render.dump(values, indent=2))
        return
    width = max(map(len, origins))
    for path, (value, source) in origins.items():
        session.out.line(f"{path:<{width}}  {_text(value):<22}  {source}")
    for file in (repository.folder / settings.FILE, session.users.config / settings.FILE):
        for key in settings.unknown_keys(file):
            session.err.line(f"cidx: {file} has {key}, which is no setting of this version")


@command.command("get", cls=Command)
@click.argument("name")
@click.pass_obj
def get(session: Session, name: str) -> None:
    """The value of one setting."""
    from cidx.repository import settings

    setting = settings.find_setting(name)
    repository = session.repository()
    origins = settings.origins(repository.folder, session.users.config, session.environment)
    session.out.line(_text(origins[setting.path][0]))


@command.command("set", cls=Command)
@click.argument("name")
@click.argument("value")
@click.pass_obj
def set_(session: Session, name: str, value: str) -> None:
    """Set a value in the repository's config.json. Lists are separated by commas.

    daemon.enabled installs the service (true) or removes it (false); an installed one follows daemon.memory_limit_mb.
    """
    from cidx.repository import repository as repositories
    from cidx.repository import settings

    setting = settings.find_setting(name)
    parsed = settings.parse(setting, value, "the command line")
    repository = session.repository()
    repositories.prepare(repository)
    settings.write_value(repository.folder / settings.FILE, setting, parsed)
    session.out.line(f"{setting.path} = {_text(parsed)}")
    if setting.variable in session.environment:
        session.err.line(f"cidx: {setting.variable} in the environment comes first")
    _tell_service(session, repository, setting.path, parsed)


def _tell_service(session: Session, repository: "Repository", path: str, value: Any) -> None:
    from cidx.cli import services

    if path == "daemon.memory_limit_mb":
        services.refresh(session, repository)
    elif path == "daemon.enabled" and value:
        services.install(session, services.installer_of(session), [repository])
    elif path == "daemon.enabled":
        services.remove(session, repository)


def _text(value: Any) -> str:
    from cidx.cli import render

    if isinstance(value, float):
        return f"{value:g}"
    return render.dump(list(value) if isinstance(value, tuple) else value)
