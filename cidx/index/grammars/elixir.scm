; Everything is a call. A module is named in full, since its name is how it is used.
((call target: (identifier) @_def (arguments . (alias) @name) (do_block)) @module
  (#eq? @_def "defmodule"))
((call target: (identifier) @_def (arguments . (alias) @name) (do_block)) @interface
  (#eq? @_def "defprotocol"))
((call target: (identifier) @_def (arguments . (alias) @name) (do_block)) @impl
  (#eq? @_def "defimpl"))
((call target: (identifier) @_def (arguments . [
  (identifier) @name
  (call target: (identifier) @name)
  (binary_operator left: (call target: (identifier) @name) operator: "when")
  (binary_operator left: (identifier) @name operator: "when")
])) @function
  (#any-of? @_def "def" "defp" "defdelegate"))
((call target: (identifier) @_def (arguments . [
  (identifier) @name
  (call target: (identifier) @name)
  (binary_operator left: (call target: (identifier) @name) operator: "when")
])) @macro
  (#any-of? @_def "defmacro" "defmacrop" "defguard" "defguardp"))
((unary_operator operator: "@" operand: (call target: (identifier) @name (arguments))) @constant
  (#not-match? @name "^(moduledoc|doc|typedoc|shortdoc|spec|type|typep|opaque|impl|behaviour|callback|macrocallback|derive|dialyzer|deprecated|since|tag|moduletag|describetag|enforce_keys)$"))
((unary_operator operator: "@" operand: (call
  target: (identifier) @_type
  (arguments . (binary_operator left: [(call target: (identifier) @name) (identifier) @name])))) @type
  (#any-of? @_type "type" "typep" "opaque"))
((call target: (identifier) @_test (arguments . (string (quoted_content) @name)) (do_block)) @function
  (#any-of? @_test "test" "describe"))
(comment) @lead
((unary_operator operator: "@" operand: (call target: (identifier) @_said)) @lead
  (#any-of? @_said
    "doc" "typedoc" "shortdoc" "spec" "impl" "deprecated" "since" "tag" "dialyzer"))

((call target: (identifier) @call)
  (#not-match? @call "^(def|defp|defmodule|defmacro|defmacrop|defprotocol|defimpl|defstruct|defdelegate|defguard|defguardp|use|alias|import|require|if|unless|case|cond|with|for|fn|moduledoc|doc|typedoc|spec|type|typep|opaque|impl|behaviour|callback)$"))
(call target: (dot right: (identifier) @call))
(struct (alias) @call)
((call target: (identifier) @_import (arguments . [
  (alias) @import
  (dot right: (tuple (alias) @import))
]))
  (#any-of? @_import "alias" "import" "require"))
((call target: (identifier) @_use (arguments . (alias) @inherit))
  (#any-of? @_use "use" "behaviour" "defimpl"))
