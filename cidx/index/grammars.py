"""Find the definitions in a file of source code with the tree-sitter grammar of its language.

A language joins by one row in `GRAMMARS`: where its grammar is and a query that captures definitions.
There is no code per language. In a query

- `@name` is the node whose text names the definition, and is required;
- `@receiver`, if captured, is what the name belongs to though it does not enclose it (Go's methods);
- `@lead` alone is a comment, decorator or attribute: it goes with a definition directly below it;
- any capture beginning with `_` serves a predicate only;
- every other capture is the whole definition, and the capture's name is its kind.

Where several patterns give one `@name`, the widest definition wins (a decorated function is matched bare
and with its decorators), and of two equally wide the earlier pattern.

Any bytes are fine: source with errors gives the definitions that the parser could save. A language
without a grammar, or whose grammar is not installed, gives None. Grammars are loaded on first use and
shared by all threads (they are immutable); a parser lives for one call only, it costs under 1 µs.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Query


@dataclass(frozen=True, slots=True)
class Definition:
    """One named piece of a file. Lines are 1-based and inclusive.

    `start_line` includes decorators, `lead_line` also the comments and attributes directly above.
    `header` is the text of `header_line`, where the name stands.
    """

    name: str
    path: str
    kind: str
    lead_line: int
    start_line: int
    header_line: int
    end_line: int
    header: str


@dataclass(frozen=True, slots=True)
class Grammar:
    """Where a language's grammar is, and the query that finds its definitions."""

    module: str
    pointer: str
    query: str


# A function directly inside one of these is a method.
_CLASS_LIKE = frozenset({"class", "struct", "enum", "trait", "interface", "impl"})

# Bounds for hostile or generated input. Deeper definitions are part of what encloses them: a path of
# more names helps nobody, and 100,000 nested functions would need paths of 10 GB. A definition on a line
# longer than LINE_LIMIT is minified code, where names mean nothing.
DEPTH_LIMIT = 12
NAME_LIMIT = 120
HEADER_LIMIT = 160
LINE_LIMIT = 2000

# The query cursor looks at all later siblings of a token that no named node follows, so a run of n
# tokens inside an ERROR node takes n * n / 2 steps: 12 s for 100,000 brackets. Above this many squared
# steps (0.2 s) the file is not code in this language, whatever its name says.
_ERROR_STEPS_LIMIT = 10_000**2

_PYTHON = """
[
  (function_definition name: (identifier) @name)
  (decorated_definition (function_definition name: (identifier) @name))
] @function
[
  (class_definition name: (identifier) @name)
  (decorated_definition (class_definition name: (identifier) @name))
] @class
(type_alias_statement left: (type (identifier) @name)) @type
(module (expression_statement (assignment left: (identifier) @name)) @constant)
(comment) @lead
"""

# What JavaScript and TypeScript share. `require(...)` names a module, it defines nothing.
_ECMASCRIPT = """
[
  (function_declaration name: (identifier) @name)
  (generator_function_declaration name: (identifier) @name)
  (export_statement declaration: (function_declaration name: (identifier) @name))
  (export_statement declaration: (generator_function_declaration name: (identifier) @name))
] @function
(method_definition name: (_) @name) @method
(variable_declarator
  name: (identifier) @name
  value: [(arrow_function) (function_expression) (generator_function)]) @function
(variable_declarator name: (identifier) @name value: (class)) @class
(pair key: (property_identifier) @name value: [(function_expression) (generator_function)]) @method
(assignment_expression
  left: (identifier) @name
  right: [(arrow_function) (function_expression) (generator_function)]) @function
(assignment_expression
  left: (member_expression object: (this) property: (property_identifier) @name)
  right: [(arrow_function) (function_expression) (generator_function)]) @function
(assignment_expression
  left: (member_expression
    object: (identifier) @_exports
    property: (property_identifier) @name)
  right: [(arrow_function) (function_expression) (generator_function)]
  (#eq? @_exports "exports")) @function
(assignment_expression
  left: (member_expression
    object: (member_expression object: (identifier) @_module property: (property_identifier) @_exports)
    property: (property_identifier) @name)
  right: [(arrow_function) (function_expression) (generator_function)]
  (#eq? @_module "module") (#eq? @_exports "exports")) @function
(assignment_expression
  left: (member_expression
    object: ((identifier) @receiver (#not-eq? @receiver "exports"))
    property: (property_identifier) @name)
  right: [(arrow_function) (function_expression) (generator_function)]) @method
(assignment_expression
  left: (member_expression
    object: (member_expression
      object: (identifier) @receiver
      property: ((property_identifier) @_prototype (#eq? @_prototype "prototype")))
    property: (property_identifier) @name)
  right: [(arrow_function) (function_expression) (generator_function)]) @method
(program
  [
    (lexical_declaration (variable_declarator
      name: (identifier) @name
      value: [
        (array) (object) (string) (template_string) (number) (regex) (new_expression) (binary_expression)
        (call_expression function: (member_expression))
        (call_expression function: ((identifier) @_called (#not-eq? @_called "require")))
      ]) @constant)
    (export_statement declaration: (lexical_declaration
      (variable_declarator name: (identifier) @name) @constant))
  ])
(comment) @lead
(decorator) @lead
"""

_JAVASCRIPT = (
    _ECMASCRIPT
    + """
[
  (class_declaration name: (identifier) @name)
  (export_statement declaration: (class_declaration name: (identifier) @name))
] @class
(field_definition property: (_) @name value: [(arrow_function) (function_expression)]) @method
"""
)

_TYPESCRIPT = (
    _ECMASCRIPT
    + """
[
  (class_declaration name: (type_identifier) @name)
  (abstract_class_declaration name: (type_identifier) @name)
  (export_statement declaration: (class_declaration name: (type_identifier) @name))
  (export_statement declaration: (abstract_class_declaration name: (type_identifier) @name))
] @class
(function_signature name: (identifier) @name) @function
(interface_declaration name: (type_identifier) @name) @interface
(type_alias_declaration name: (type_identifier) @name) @type
(enum_declaration name: (identifier) @name) @enum
(internal_module name: [(identifier) (nested_identifier)] @name) @module
(module name: [(identifier) (nested_identifier) (string (string_fragment))] @name) @module
(method_signature name: (_) @name) @method
(abstract_method_signature name: (_) @name) @method
(public_field_definition name: (_) @name value: [(arrow_function) (function_expression)]) @method
"""
)

_GO = """
(function_declaration name: (identifier) @name) @function
(method_declaration
  receiver: (parameter_list (parameter_declaration type: [
    (type_identifier) @receiver
    (pointer_type (type_identifier) @receiver)
    (generic_type type: (type_identifier) @receiver)
    (pointer_type (generic_type type: (type_identifier) @receiver))
  ]))
  name: (field_identifier) @name) @method
(type_spec name: (type_identifier) @name type: (struct_type)) @struct
(type_spec name: (type_identifier) @name type: (interface_type)) @interface
(type_spec name: (type_identifier) @name) @type
(type_alias name: (type_identifier) @name) @type
(method_elem name: (field_identifier) @name) @method
(source_file (const_declaration (const_spec name: (identifier) @name) @constant))
(source_file (var_declaration [
  (var_spec name: (identifier) @name) @constant
  (var_spec_list (var_spec name: (identifier) @name) @constant)
]))
(comment) @lead
"""

_RUST = """
(function_item name: (identifier) @name) @function
(function_signature_item name: (identifier) @name) @function
(struct_item name: (type_identifier) @name) @struct
(union_item name: (type_identifier) @name) @struct
(enum_item name: (type_identifier) @name) @enum
(trait_item name: (type_identifier) @name) @trait
(impl_item type: [
  (type_identifier) @name
  (primitive_type) @name
  (scoped_type_identifier name: (type_identifier) @name)
  (generic_type type: (type_identifier) @name)
  (generic_type type: (scoped_type_identifier name: (type_identifier) @name))
  (reference_type type: (type_identifier) @name)
  (reference_type type: (generic_type type: (type_identifier) @name))
]) @impl
(mod_item name: (identifier) @name body: (_)) @module
(macro_definition name: (identifier) @name) @macro
(type_item name: (type_identifier) @name) @type
(const_item name: (identifier) @name) @constant
(static_item name: (identifier) @name) @constant
(line_comment) @lead
(block_comment) @lead
(attribute_item) @lead
"""

GRAMMARS: dict[str, Grammar] = {
    "go": Grammar("tree_sitter_go", "language", _GO),
    "javascript": Grammar("tree_sitter_javascript", "language", _JAVASCRIPT),
    "python": Grammar("tree_sitter_python", "language", _PYTHON),
    "rust": Grammar("tree_sitter_rust", "language", _RUST),
    "tsx": Grammar("tree_sitter_typescript", "language_tsx", _TYPESCRIPT),
    "typescript": Grammar("tree_sitter_typescript", "language_typescript", _TYPESCRIPT),
}


def definitions(source: bytes, language: str) -> list[Definition] | None:
    """The definitions in `source`, outer before inner, in order; None where there is no grammar."""
    loaded = _load(language)
    if loaded is None:
        return None
    from tree_sitter import Parser, QueryCursor

    grammar, query = loaded
    tree = Parser(grammar).parse(source)
    if tree.root_node.has_error and _is_garbage(tree.root_node):
        return []
    found: dict[int, _Match] = {}
    leads: dict[int, tuple[int, int]] = {}
    for pattern, captures in QueryCursor(query).matches(tree.root_node):
        if "lead" in captures:
            _add_lead(leads, captures["lead"][0])
        else:
            _add_match(found, pattern, captures)
    return list(_name_all(sorted(found.values(), key=_order), _Text(source), leads))


@cache
def _load(language: str) -> "tuple[Language, Query] | None":
    grammar = GRAMMARS.get(language)
    if grammar is None:
        return None
    try:
        from tree_sitter import Language, Query

        pointer: Callable[[], object] = getattr(import_module(grammar.module), grammar.pointer)
    except (ImportError, AttributeError):
        return None
    loaded = Language(pointer())
    return loaded, Query(loaded, grammar.query)


def _is_garbage(root: "Node") -> bool:
    """Whether the query would drown in the tokens of errors: see `_ERROR_STEPS_LIMIT`."""
    steps = 0
    pending = [root]
    while pending:
        node = pending.pop()
        children = node.children
        if node.is_error and len(children) > 100:
            steps += _token_steps(children)
            if steps > _ERROR_STEPS_LIMIT:
                return True
        pending += [child for child in children if child.has_error]
    return False


def _token_steps(children: "Sequence[Node]") -> int:
    steps = run = 0
    for child in children:
        if child.is_named:
            steps += run * run
            run = 0
        else:
            run += 1
    return steps + run * run


@dataclass(frozen=True, slots=True)
class _Match:
    start: int
    end: int
    pattern: int
    kind: str
    node: "Node"
    name: "Node"
    receiver: "Node | None"


def _order(match: _Match) -> tuple[int, int, int]:
    return match.start, -match.end, match.pattern


def _add_match(found: dict[int, _Match], pattern: int, captures: "dict[str, list[Node]]") -> None:
    name = captures["name"][0]
    receiver = captures.get("receiver")
    kind = next(key for key in captures if key not in ("name", "receiver") and key[0] != "_")
    node = captures[kind][0]
    match = _Match(
        node.start_byte, node.end_byte, pattern, kind, node, name, receiver[0] if receiver else None
    )
    known = found.get(name.start_byte)
    if known is None or _order(match) < _order(known):
        found[name.start_byte] = match


def _add_lead(leads: dict[int, tuple[int, int]], node: "Node") -> None:
    """Keep the lead by its last row; Rust's line comments end at column 0 of the next one."""
    (row, column), end = node.start_point, node.end_point
    leads[end.row if end.column else end.row - 1] = (row, column)


class _Text:
    """Lines and names of a source, as text."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.lines = source.split(b"\n")

    def of(self, node: "Node") -> str:
        end = min(node.end_byte, node.start_byte + NAME_LIMIT)
        return self.source[node.start_byte : end].decode(errors="replace").strip("\"'`#")

    def header(self, row: int) -> str:
        return self.lines[row][: 2 * HEADER_LIMIT].decode(errors="replace").strip()[:HEADER_LIMIT]


def _name_all(matches: list[_Match], text: _Text, leads: dict[int, tuple[int, int]]) -> Iterator[Definition]:
    enclosing: list[tuple[_Match, Definition]] = []
    for match in matches:
        while enclosing and not _encloses(enclosing[-1][0], match):
            enclosing.pop()
        row = match.name.start_point.row
        if len(enclosing) >= DEPTH_LIMIT or len(text.lines[row]) > LINE_LIMIT:
            continue
        definition = _define(match, enclosing[-1][1] if enclosing else None, text, leads)
        enclosing.append((match, definition))
        yield definition


def _encloses(outer: _Match, inner: _Match) -> bool:
    """One node may define several names, as in Go's `var x, y = 1, 2`: they stand side by side."""
    return inner.start < outer.end and (inner.start, inner.end) != (outer.start, outer.end)


def _define(
    match: _Match, parent: Definition | None, text: _Text, leads: dict[int, tuple[int, int]]
) -> Definition:
    name = text.of(match.name)
    parts = [parent.path] if parent else []
    if match.receiver is not None:
        parts.append(text.of(match.receiver))
    in_class = parent is not None and parent.kind in _CLASS_LIKE
    row, end = match.node.start_point.row, match.node.end_point
    return Definition(
        name=name,
        path=".".join([*parts, name]),
        kind="method" if in_class and match.kind == "function" else match.kind,
        lead_line=_lead_row(row, text.lines, leads) + 1,
        start_line=row + 1,
        header_line=match.name.start_point.row + 1,
        end_line=max(row, end.row if end.column else end.row - 1) + 1,
        header=text.header(match.name.start_point.row),
    )


def _lead_row(row: int, lines: list[bytes], leads: dict[int, tuple[int, int]]) -> int:
    """The first row of the comments and attributes that end on the row above, and so on upward."""
    while (lead := leads.get(row - 1)) is not None:
        above, column = lead
        if lines[above][:column].strip():
            break
        row = above
    return row
