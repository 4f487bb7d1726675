(class_definition name: (identifier) @name) @class
(trait_definition name: (identifier) @name) @trait
(object_definition name: (identifier) @name) @object
(package_object name: (identifier) @name) @object
(enum_definition name: (identifier) @name) @enum
(full_enum_case name: (identifier) @name) @class
(function_definition name: [(identifier) (operator_identifier)] @name) @function
(function_declaration name: [(identifier) (operator_identifier)] @name) @function
(given_definition name: (identifier) @name) @object
(extension_definition parameters: (parameters (parameter type: [
  (type_identifier) @name
  (generic_type type: (type_identifier) @name)
]))) @extension
(type_definition name: (type_identifier) @name) @type
(compilation_unit (val_definition pattern: (identifier) @name) @constant)
(object_definition body: (template_body (val_definition pattern: (identifier) @name) @constant))
(comment) @lead
(block_comment) @lead

(call_expression function: [
  (identifier) @call
  (field_expression field: (identifier) @call)
  (generic_function function: [(identifier) @call (field_expression field: (identifier) @call)])
])
(instance_expression . [
  (type_identifier) @call
  (generic_type type: (type_identifier) @call)
  (stable_type_identifier (type_identifier) @call .)
])
(annotation name: (type_identifier) @call)
(import_declaration (identifier) @import .)
(import_declaration (identifier) @import . (namespace_wildcard))
(namespace_selectors [(identifier) @import (arrow_renamed_identifier name: (identifier) @import)])
; Without their field, which only the first type of several is found by.
(extends_clause [
  (type_identifier) @inherit
  (generic_type type: [(type_identifier) @inherit (stable_type_identifier (type_identifier) @inherit .)])
  (stable_type_identifier (type_identifier) @inherit .)
])
