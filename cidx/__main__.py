"""The process: turns its surroundings into a session, runs the command line, and ends.

The only place that reads the process's streams, environment and directory. It leaves by `_exit`: whatever
must survive is on disk by then, and tearing an interpreter down costs more than some answers.
"""

import gc
import os
import signal
import sys
from pathlib import Path
from typing import BinaryIO, NoReturn

# Until `main` listens, Ctrl-C just ends us, as it does a program without an interpreter: no traceback of imports.
signal.signal(signal.SIGINT, signal.SIG_DFL)

# Before numpy is imported: its matrix products here are too small to share among threads, and
# starting one thread a core costs more than it gives.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# What is imported stays: looking for garbage among it took 18 ms of a `cidx index` without changes.
gc.set_threshold(100_000, 20, 100)

from cidx import cli
from cidx.api.errors import CidxError, Code
from cidx.cli.application import application, render_error
from cidx.cli.commands import completion
from cidx.cli.one_shot import OneShot
from cidx.cli.session import Output, Session, Terminal
from cidx.repository.repository import user_folders


def main() -> NoReturn:
    # Whatever is written belongs to this user alone: SQLite and tantivy make files as the mask says.
    os.umask(0o077)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code = _session_to_the_end()
    except BrokenPipeError:
        # Who read our output has seen enough.
        code = 0
    except KeyboardInterrupt:
        code = Code.INTERRUPTED.exit_code
    except OSError as error:
        os.write(2, f"cidx: the answer can't be written: {error.strerror} [{Code.IO.slug}]\n".encode())
        code = Code.IO.exit_code
    os._exit(code)


def _session_to_the_end() -> int:
    session = _session()
    code = _complete(session) if completion.VARIABLE in os.environ else _run(session)
    session.out.flush()
    session.err.flush()
    return code


def _complete(session: Session) -> int:
    """Answer the shell's completion script, which asks through the environment."""
    from click import shell_completion

    shell, _, action = os.environ[completion.VARIABLE].partition("_")
    found = shell_completion.get_completion_class(shell)
    if found is None or action != "complete":
        return Code.USAGE.exit_code
    session.out.line(found(application, {}, "cidx", completion.VARIABLE).complete())
    return 0


def _run(session: Session) -> int:
    try:
        return cli.run(sys.argv[1:], session)
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except BaseException as error:  # tantivy's panics are no Exceptions
        bug = _report(error, session)
        render_error(bug, session)
        return bug.code.exit_code


def _session() -> Session:
    users = user_folders()
    standalone = os.environ.get("CIDX_STANDALONE", "") not in ("", "0")
    return Session(
        directory=_directory(),
        environment=dict(os.environ),
        standalone=standalone,
        # A client that met a fault has said so, with what it imports for that.
        advice=not standalone and "cidx.client.call" not in sys.modules,
        users=users,
        source=OneShot(users),
        terminal=Terminal.of(
            os.environ, columns=_columns(), out_is_terminal=_is_terminal(1), err_is_terminal=_is_terminal(2)
        ),
        out=Output(_stream(1)),
        err=Output(_stream(2)),
    )


def _stream(descriptor: int) -> BinaryIO:
    """A standard stream as bytes; one that was closed before we started swallows what it gets."""
    try:
        return open(descriptor, "wb", buffering=-1 if descriptor == 1 else 0, closefd=False)
    except OSError:
        return open(os.devnull, "wb")


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def _directory() -> Path:
    try:
        return Path(os.getcwd())
    except FileNotFoundError:
        return Path("/nonexistent")


def _columns() -> int:
    for descriptor in (1, 2):
        try:
            return os.get_terminal_size(descriptor).columns or 80
        except OSError:
            continue
    return 80


def _report(error: BaseException, session: Session) -> CidxError:
    """Keep what is needed to find the bug where its finder can paste it from."""
    import platform
    import tempfile
    import traceback

    from cidx.api.versions import VERSION

    text = "\n".join(
        [
            f"cidx {VERSION}, Python {platform.python_version()}, {platform.platform()}",
            f"command: {sys.argv[1:2]}",
            "".join(traceback.format_exception(error)),
        ]
    )
    try:
        session.users.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, place = tempfile.mkstemp(prefix="report-", suffix=".txt", dir=session.users.cache)
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as stream:
            stream.write(text)
    except OSError:
        place = "nowhere: the cache folder can't be written"
    return CidxError(
        Code.BUG,
        what="cidx ran into a bug of its own",
        why=f"{type(error).__name__}: {error}",
        next_step=f"please report it with the text in {place}",
    )


if __name__ == "__main__":
    main()
