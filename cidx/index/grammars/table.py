"""Which grammar, and which queries, each language is read with.

A language joins by a row here and a query file beside it; there is no code per language. Query files are
read, and compiled, when a file of their language is first met.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Grammar:
    """A wheel's module and the function in it that gives the grammar; names of query files, to be joined.

    What matches `unread` is blanked out before parsing, since the grammar can't know what it stands for.
    """

    module: str
    queries: tuple[str, ...]
    pointer: str = "language"
    unread: bytes = b""


# Macros alone on a line (`Q_OBJECT`, `BEGIN_NAMESPACE`), and between `class` and its name.
_MACROS = (
    rb"(?m)^[ \t]*[A-Z][A-Z0-9_]{2,}[ \t]*(?=\r?$)"
    rb"|(?:(?<=class )|(?<=struct ))[A-Z][A-Z0-9_]{2,}(?= +\w+\s*(?:final\s*)?[:{])"
)


GRAMMARS: dict[str, Grammar] = {
    "bash": Grammar("tree_sitter_bash", ("bash",)),
    "c": Grammar("tree_sitter_c", ("c",), unread=_MACROS),
    "cpp": Grammar("tree_sitter_cpp", ("c", "cpp"), unread=_MACROS),
    "csharp": Grammar("tree_sitter_c_sharp", ("csharp",)),
    "elixir": Grammar("tree_sitter_elixir", ("elixir",)),
    "go": Grammar("tree_sitter_go", ("go",)),
    "java": Grammar("tree_sitter_java", ("java",)),
    "javascript": Grammar("tree_sitter_javascript", ("ecmascript", "jsx", "javascript")),
    "json": Grammar("tree_sitter_json", ("json",)),
    "kotlin": Grammar("tree_sitter_kotlin", ("kotlin",)),
    "lua": Grammar("tree_sitter_lua", ("lua",)),
    "php": Grammar("tree_sitter_php", ("php",), "language_php"),
    "python": Grammar("tree_sitter_python", ("python",)),
    "ruby": Grammar("tree_sitter_ruby", ("ruby",)),
    "rust": Grammar("tree_sitter_rust", ("rust",)),
    "scala": Grammar("tree_sitter_scala", ("scala",)),
    "swift": Grammar("tree_sitter_swift", ("swift",)),
    "terraform": Grammar("tree_sitter_hcl", ("terraform",)),
    "toml": Grammar("tree_sitter_toml", ("toml",)),
    "tsx": Grammar("tree_sitter_typescript", ("ecmascript", "jsx", "typescript"), "language_tsx"),
    "typescript": Grammar("tree_sitter_typescript", ("ecmascript", "typescript"), "language_typescript"),
    "yaml": Grammar("tree_sitter_yaml", ("yaml",)),
    "zig": Grammar("tree_sitter_zig", ("zig",)),
}
