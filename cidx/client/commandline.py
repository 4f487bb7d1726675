"""What the client understands of a command line: whether a daemon may run it, and from which folder.

It understands little on purpose. There is one parser, click's, and it runs where the command runs; here only the
folder is needed, because it decides which daemon is asked. Whatever is not certain (an unknown option, a
value that looks like an option, short flags in one word) is left to click in this process.
`tests/client/test_commandline.py` walks click's options, so that a new one can't be forgotten here.
"""

# Reading commands, so that a call whose reply was lost may be sent again.
DELEGATED = frozenset({"query", "similar", "symbols", "refs"})

# Accepted before and after the command. `--version` is missing: it asks about this installation.
GLOBAL_FLAGS = frozenset({"-v", "--verbose", "-h", "--help"})
FLAGS = frozenset(
    {
        "--fts",
        "--semantic",
        "--regex",
        "--fuzzy",
        "--case-sensitive",
        "-q",
        "--quiet",
        "--json",
        "--timing",
    }
)
VALUES = frozenset(
    {
        "-l",
        "--limit",
        "--edit-distance",
        "--min-score",
        "--accuracy",
        "--kind",
        "--language",
        "--exclude-language",
        "--path-filter",
        "--exclude-path",
        "--snippet-lines",
        "--format",
    }
)
_FOLDER = ("-C", "--directory")


def starting_folder(argv: list[str], directory: str) -> str | None:
    """The folder that the command would start in, or None where the command belongs to this process."""
    command = folder = None
    words = iter(argv)
    for word in words:
        if word == "--":
            # Behind it all is text; before the command it means something that nobody needs.
            break
        if len(word) < 2 or word[0] != "-":
            if command is None:
                if word not in DELEGATED:
                    return None
                # Of several folders click takes the last before the command, and the last after it from there.
                command, directory, folder = word, _within(directory, folder), None
            continue
        name, value = _option(word)
        if name in GLOBAL_FLAGS or (command is not None and name in FLAGS):
            if value is not None:
                return None
        elif name in _FOLDER or (command is not None and name in VALUES):
            if value is None:
                value = next(words, "-")
                if value.startswith("-"):
                    return None
            if name in _FOLDER:
                folder = value
        else:
            return None
    return None if command is None else _within(directory, folder)


def _option(word: str) -> tuple[str, str | None]:
    """An option's name, and the value that is part of the same word: `--limit=3`, `-l3`."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return name, value if equals else None
    return word[:2], word[2:] or None


def _within(directory: str, folder: str | None) -> str:
    if not folder:
        return directory
    return folder if folder.startswith("/") else f"{directory.rstrip('/')}/{folder}"
