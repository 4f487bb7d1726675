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

(call_expression function: [
  (identifier) @call
  (member_expression property: [(property_identifier) (private_property_identifier)] @call)
])
(new_expression constructor: [(identifier) @call (member_expression property: (property_identifier) @call)])
(decorator [
  (identifier) @call
  (member_expression property: (property_identifier) @call)
])
(import_statement source: (string (string_fragment) @import))
(import_clause (identifier) @import)
(import_specifier name: (identifier) @import)
(export_statement source: (string (string_fragment) @import))
(call_expression
  function: [(import) ((identifier) @_require (#eq? @_require "require"))]
  arguments: (arguments . (string (string_fragment) @import)))
