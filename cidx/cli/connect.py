"""`cidx.connect`: searching from Python programs, by the daemon where there is one, else in this process.

It asks as the command does, so a program gets what `cidx query --json` prints, as values.
"""

import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from cidx.api.answer import Answer
from cidx.api.errors import CidxError
from cidx.api.query import Mode
from cidx.cli.application import run
from cidx.cli.one_shot import OneShot
from cidx.cli.session import Output, Session, Terminal
from cidx.client import address, call, wire
from cidx.client.replies import Replies
from cidx.repository.repository import user_folders

_FLAGS_OF_MODE: dict[Mode, list[str]] = {
    Mode.HYBRID: [],
    Mode.FTS: ["--fts"],
    Mode.SEMANTIC: ["--semantic"],
    Mode.REGEX: ["--regex"],
}


class Client:
    """Answers questions about one repository. Safe to share between threads: it holds nothing open."""

    def __init__(self, path: Path, *, standalone: bool = False) -> None:
        self._directory = path
        self._users = user_folders()
        self._standalone = standalone
        self.root = OneShot(self._users).repository(path).root

    def query(
        self,
        text: str,
        *,
        mode: Mode | str = Mode.HYBRID,
        limit: int = 10,
        languages: Sequence[str] = (),
        exclude_languages: Sequence[str] = (),
        paths: Sequence[str] = (),
        exclude_paths: Sequence[str] = (),
        **options: object,
    ) -> Answer:
        """Search; limit 0 means every hit, `options` are the other flags by name: `min_score=0.5`, `fuzzy=True`.

        Raises `CidxError` with what happened, why, and the next step.
        """
        if Mode(mode) not in _FLAGS_OF_MODE:
            raise ValueError(f"{mode} is a command of its own")
        options |= {"language": languages, "exclude_language": exclude_languages}
        options |= {"path_filter": paths, "exclude_path": exclude_paths}
        return self._ask("query", *_FLAGS_OF_MODE[Mode(mode)], text=text, limit=limit, **options)

    def similar(self, place: str, **options: object) -> Answer:
        """What is like a place, `path:line`; options are the flags of `cidx similar` by name."""
        return self._ask("similar", text=place, **options)

    def symbols(self, name: str = "", **options: object) -> Answer:
        """Where a name is defined; options are the flags of `cidx symbols` by name."""
        return self._ask("symbols", text=name, **options)

    def refs(self, name: str, **options: object) -> Answer:
        """Where a name is used; options are the flags of `cidx refs` by name."""
        return self._ask("refs", text=name, **options)

    def _ask(self, *command: str, text: str, **options: object) -> Answer:
        flags = [word for name, value in options.items() for word in _flag(name, value)]
        fields = json.loads(self._run([*command, "--json", *flags, "--", text]))
        if "error" in fields:
            raise CidxError.from_json(fields["error"])
        return Answer.from_json(fields)

    def close(self) -> None:
        """There is nothing to close; here for `with`."""

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, argv: list[str]) -> bytes:
        answered = None if self._standalone else self._by_daemon(argv)
        return self._here(argv) if answered is None else answered

    def _by_daemon(self, argv: list[str]) -> bytes | None:
        """What the daemon prints; None where none answers."""
        root, home = str(self.root), str(self._users.home)
        path = address.socket_path(root, environment=os.environ, home=home)
        command = (
            tuple(map(os.fsencode, argv)),
            os.fsencode(self._directory),
            (80, False, False),
            (),
            b"",
            f"{os.getpid()}-{os.urandom(8).hex()}",
        )
        first: Replies | OSError
        try:
            first = Replies(wire.ask(path, "run", command))
        except OSError as error:
            first = error
        try:
            return call.run(path, root, command, first=first, home=home)[1]
        except call.Unanswered:
            return None
        except call.Failed as failed:
            raise CidxError.from_json(
                {
                    "code": "bug",
                    "what": "the daemon failed at this question",
                    "why": str(failed),
                    "next_step": "cidx doctor",
                }
            ) from None

    def _here(self, argv: list[str]) -> bytes:
        out = io.BytesIO()
        session = Session(
            directory=self._directory,
            environment=dict(os.environ),
            users=self._users,
            terminal=Terminal(),
            out=Output(out),
            err=Output(io.BytesIO()),
            source=OneShot(self._users),
        )
        run(argv, session)
        return out.getvalue()


def _flag(name: str, value: object) -> list[str]:
    """A flag as words of a command line; of several values each by itself."""
    flag = f"--{name.replace('_', '-')}"
    if value is True or value is False or value is None:
        return [flag] if value else []
    values = value if isinstance(value, list | tuple) else (value,)
    return [f"{flag}={item}" for item in values]


def connect(path: str | os.PathLike[str] = ".", *, standalone: bool = False) -> Client:
    """A client for the repository that a folder belongs to."""
    return Client(Path(path).resolve(), standalone=standalone)
