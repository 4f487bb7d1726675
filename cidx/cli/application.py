"""The command line: one parser for the process and for the daemon.

click does the parsing; what it would print by itself (help, usage errors) goes through the session. Commands are
imported when they are called, and import what they need when they run.
"""

import errno
import importlib
import logging
import os
import threading
from collections.abc import Sequence
from typing import Any

import click

from cidx.api.errors import CidxError, Code
from cidx.api.versions import VERSION
from cidx.cli.session import Output, Session

# In the order of a first use; `--help` keeps it.
COMMANDS = {
    "init": "Prepare a repository: write its configuration.",
    "index": "Bring the index up to date.",
    "query": "Search the repository.",
    "similar": "Find what is like a place in the code.",
    "symbols": "Find where a name is defined.",
    "refs": "Find where a name is used.",
    "watch": "Keep the index fresh until Ctrl-C.",
    "status": "Show the index and how fresh it is.",
    "health": "Say in one word whether all is well.",
    "metrics": "Show what the daemon has counted.",
    "config": "Show or change settings.",
    "clean": "Remove the index.",
    "service": "Let systemd or launchd run the daemon.",
    "daemon": "Run the daemon in the foreground.",
    "doctor": "Check the set-up and the index.",
    "bench": "Measure what a daemon gains here.",
    "completion": "Print the completion script of a shell.",
}

CONTEXT = {"help_option_names": ["-h", "--help"]}
# Set once a command is asked to answer programs: its errors are then JSON too.
JSON_KEY = "cidx.json"


def run(argv: Sequence[str], session: Session) -> int:
    """Run one command line; returns its exit code. Raises only what ends the process anyway."""
    context: dict[str, Any] = {}
    try:
        with session.resources:
            return _invoke(argv, session, context)
    except CidxError as error:
        session.failed = error.code.slug
        render_error(error, session, as_json=bool(context.get(JSON_KEY)))
        return error.code.exit_code


def _invoke(argv: Sequence[str], session: Session, meta: dict[str, Any]) -> int:
    try:
        with application.make_context(
            "cidx",
            list(argv),
            obj=session,
            terminal_width=min(session.terminal.columns, 100),
            color=session.terminal.colour,
        ) as context:
            context.meta.update(meta)
            try:
                code = application.invoke(context)
            finally:
                meta.update(context.meta)
            return code if isinstance(code, int) else 0
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.exceptions.Abort:
        return Code.INTERRUPTED.exit_code
    except click.ClickException as error:
        raise _usage_error(error) from None
    except (MemoryError, OSError) as error:
        raise _for_want(error) or error from error


def _for_want(error: MemoryError | OSError) -> CidxError | None:
    """What to say where this process has no memory or no descriptors left; None of any other error."""
    if isinstance(error, OSError) and error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        return None
    return CidxError(
        Code.NO_RESOURCES,
        what="there is not enough to work with",
        why="memory has run out" if isinstance(error, MemoryError) else os.strerror(error.errno or 0),
        next_step="ask again when less is going on; limits: ulimit -a, and cidx status for a daemon's",
    )


def _usage_error(error: click.ClickException) -> CidxError:
    context: click.Context | None = getattr(error, "ctx", None)
    usage = context.get_usage() if context is not None else "Usage: cidx [OPTIONS] COMMAND"
    command = context.command_path if context is not None else "cidx"
    return CidxError(
        Code.USAGE,
        what=error.format_message().rstrip("."),
        why="usage: " + " ".join(usage.removeprefix("Usage: ").split()),
        next_step=f"{command} --help",
    )


def render_error(error: CidxError, session: Session, *, as_json: bool = False) -> None:
    """The four parts: text on stderr, or JSON on stdout where a program listens."""
    if as_json:
        from cidx.cli import render

        session.out.line(render.dump({"error": error.to_json()}))
        return
    session.err.line(f"cidx: {error.what} [{error.code.slug}]")
    session.err.line(f"  why:  {error.why}")
    session.err.line(f"  next: {error.next_step}")


def _show_help(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        context.find_root().obj.out.line(context.get_help())
        context.exit()


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        context.find_root().obj.out.line(f"cidx {VERSION}")
        context.exit()


def _change_directory(context: click.Context, _: click.Parameter, path: str | None) -> None:
    if path is not None and not context.resilient_parsing:
        context.find_root().obj.change_directory(path)


def _stand_alone(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    context.find_root().obj.advice &= not wanted
    context.find_root().obj.standalone |= wanted


def _log_everything(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        log_to(context.find_root().obj, logging.DEBUG)


def log_to(session: Session, level: int) -> None:
    """Log records from this level on go to the session's stderr."""
    from cidx import log

    handler = _OutputHandler(session.err)
    handler.setFormatter(log.Formatter())
    if session.source.served_by == "daemon":
        # Others are served in this process too.
        own = threading.get_ident()
        handler.addFilter(lambda record: record.thread == own)
    logger = log.get()
    logger.setLevel(min(level, logger.level or level))
    logger.addHandler(handler)
    session.resources.callback(logger.removeHandler, handler)


class _OutputHandler(logging.Handler):
    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        self._output.line(f"cidx: {self.format(record)}")
        self._output.flush()


def _global_options() -> list[click.Parameter]:
    """Accepted before and after the command."""
    return [
        click.Option(
            ["-C", "--directory"],
            metavar="PATH",
            expose_value=False,
            is_eager=True,
            callback=_change_directory,
            help="Run as if started there.",
        ),
        click.Option(
            ["--standalone"],
            is_flag=True,
            expose_value=False,
            callback=_stand_alone,
            help="Answer in this process, without a daemon.",
        ),
        click.Option(
            ["-v", "--verbose"],
            is_flag=True,
            expose_value=False,
            callback=_log_everything,
            help="Say on stderr what is done, and how long it took.",
        ),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
            help="Show the version.",
        ),
        click.Option(
            ["-h", "--help"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_help,
            help="Show this message.",
        ),
    ]


class Command(click.Command):
    """A command that takes the global options too and is called with the session first."""

    def __init__(self, name: str | None = None, **options: Any) -> None:
        super().__init__(name, add_help_option=False, **options)
        self.params += _global_options()


class Group(click.Group):
    """A group of commands with the global options."""

    command_class = Command

    def __init__(self, name: str | None = None, **options: Any) -> None:
        super().__init__(name, add_help_option=False, invoke_without_command=True, **options)
        self.params += _global_options()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest names where there is no such command."""
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            import difflib

            near = difflib.get_close_matches(name, self.list_commands(ctx), n=2)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            ctx.fail(f"No such command '{name}'{hint}")
        return super().resolve_command(ctx, args)


class _Application(Group):
    """The top level: finds each command in the module of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"cidx.cli.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_Application, context_settings=CONTEXT)
@click.pass_context
def application(context: click.Context) -> None:
    """Code search that answers in a blink: by meaning, by words, or both."""
    context.obj.command = context.invoked_subcommand or ""
    if context.invoked_subcommand is None:
        context.obj.out.line(context.get_help())
