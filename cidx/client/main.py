"""What `cidx` is at first: asks the daemon if there is one, and else becomes the whole command line.

A query from a warm daemon takes a few milliseconds, starting Python takes more, and importing what everybody
imports (`os`, `json`, `socket`, `argparse`, site-packages) takes most. So this side imports nothing that is not part
of the interpreter already, but for `_socket` and a digest; starts without `site` (`python -S`); and ends by `_exit`,
which leaves the interpreter's own farewell out. `tests/bench/client.py` measures that, and a test holds the
list of modules. Everything that is not on the way of an answered query is imported where it happens.

It parses nothing that click parses and renders nothing: what can't be delegated, or is not answered, is run by
`cidx.__main__` in this very process, as `python -I -m cidx` would.
"""

import posix
import sys

from cidx.client import address, wire
from cidx.client.commandline import starting_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from cidx.client.replies import Replies

# What an answer depends on: whether colours are wanted and (by prefix) settings. Nothing else of a user's environment
# is anybody's business; where the user's own files are, the daemon knows from its own.
SHIPPED = frozenset({b"NO_COLOR", b"TERM"})
SHIPPED_PREFIX = b"CIDX_"

# As in cidx.api.errors, which is too heavy for here; a test compares them.
IO_ERROR, BUG, INTERRUPTED = 5, 70, 130


def main() -> "NoReturn":
    try:
        code = _delegate()
        if code is None:
            _run_here()
    except KeyboardInterrupt:
        code = INTERRUPTED
    posix._exit(code)


def _delegate() -> int | None:
    """Let the daemon run the command; its exit code, or None where it has to be run here."""
    folder = _starting_folder()
    if folder is None:
        return None
    home = _home()
    root = address.find_root(folder, home=home)
    if root is None:
        return None
    environment = posix.environ
    runtime = {"XDG_RUNTIME_DIR": address.decode(environment.get(b"XDG_RUNTIME_DIR", b""))}
    path = address.socket_path(root, environment=runtime, home=home)
    command = (
        tuple(map(address.encode, sys.argv[1:])),
        posix.getcwdb(),
        (_columns(), posix.isatty(1), posix.isatty(2)),
        tuple(
            (name, value)
            for name, value in environment.items()
            if name in SHIPPED or name.startswith(SHIPPED_PREFIX)
        ),
        b"",
        posix.urandom(8).hex(),
    )
    try:
        return _ask(path, root, command, home)
    except KeyboardInterrupt:
        from cidx.client import call

        call.cancel(path, root, command[-1])
        raise


def _ask(path: str, root: str, command: tuple[object, ...], home: str) -> int | None:
    """Put the question, and show the answer if it comes as usual."""
    first: OSError | Replies
    try:
        asked = wire.ask(path, "run", command)
    except FileNotFoundError:
        # The usual way to have no daemon.
        return None
    except OSError as error:
        first = error
    else:
        # What understands replies is imported while the daemon is at work on them.
        from cidx.client import replies

        first = replies.Replies(asked)
        answer = replies.usual(first, address.repository_id(root))
        if answer is not None:
            return _show(*answer)
    from cidx.client import call

    try:
        return _show(*call.run(path, root, command, first=first, home=home))
    except call.Failed as failed:
        _note(f"cidx: the daemon failed at this command: {failed} [bug]; next: cidx doctor")
        return BUG
    except call.Unanswered as unanswered:
        if unanswered.why:
            _note(f"cidx: {unanswered.why}; answered without it. next: {unanswered.next_step}")
        return None


def _starting_folder() -> str | None:
    """The folder that the command starts in, or None where no daemon may be asked."""
    environment = posix.environ
    if (
        environment.get(b"CIDX_STANDALONE", b"") not in (b"", b"0")
        # The shell's completion asks through the environment (cidx/cli/commands/completion.py).
        or b"_CIDX_COMPLETE" in environment
        # A closed stream would give its number to the socket.
        or None in (sys.stdin, sys.stdout, sys.stderr)
        # The daemon reads bytes as UTF-8.
        or sys.getfilesystemencoding() != "utf-8"
    ):
        return None
    try:
        return starting_folder(sys.argv[1:], posix.getcwd())
    except FileNotFoundError:
        return None


def _show(code: int, out: bytes, err: bytes) -> int:
    """Write the answer where the command would have; the exit code. stderr is not buffered there, so it comes first."""
    try:
        _write(2, err)
        _write(1, out)
    except BrokenPipeError:
        # Who read our output has seen enough.
        return 0
    except OSError as error:
        _note(f"cidx: the answer can't be written: {error.strerror} [io-error]")
        return IO_ERROR
    return code


def _write(descriptor: int, data: bytes) -> None:
    """All of it, to a terminal that somebody made non-blocking too."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[posix.write(descriptor, rest) :]
        except BlockingIOError:
            import select

            select.select((), (descriptor,), ())


def _note(line: str) -> None:
    """A line on stderr, if anybody still reads it."""
    try:
        _write(2, line.encode("utf-8", "replace") + b"\n")
    except OSError:
        pass


def _run_here() -> "NoReturn":
    """Become what `python -I -m cidx` is, and run the command."""
    if sys.flags.no_site:
        import site

        site.main()
    # By name: nothing of the light side depends on the heavy one, until it becomes it.
    heavy_main: Callable[[], NoReturn] = __import__("cidx.__main__", fromlist=["main"]).main
    heavy_main()


def _home() -> str:
    """As `os.path.expanduser` finds it."""
    home = posix.environ.get(b"HOME")
    if home is not None:
        return address.decode(home).rstrip("/") or "/"
    import pwd

    try:
        return pwd.getpwuid(posix.getuid()).pw_dir
    except KeyError:
        return "~"


def _columns() -> int:
    """As cidx.__main__ finds them."""
    for descriptor in (1, 2):
        try:
            return posix.get_terminal_size(descriptor).columns or 80
        except OSError:
            continue
    return 80
