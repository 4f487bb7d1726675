(class_declaration name: (identifier) @name) @class
(record_declaration name: (identifier) @name) @class
(interface_declaration name: (identifier) @name) @interface
(annotation_type_declaration name: (identifier) @name) @interface
(enum_declaration name: (identifier) @name) @enum
(method_declaration name: (identifier) @name) @method
(annotation_type_element_declaration name: (identifier) @name) @method
(constructor_declaration name: (identifier) @name) @method
(compact_constructor_declaration name: (identifier) @name) @method
(enum_constant name: (identifier) @name body: (class_body)) @class
((field_declaration
  (modifiers) @_modifiers
  declarator: (variable_declarator name: (identifier) @name)) @constant
  (#match? @_modifiers "static")
  (#match? @_modifiers "final"))
(constant_declaration declarator: (variable_declarator name: (identifier) @name)) @constant
(line_comment) @lead
(block_comment) @lead

(method_invocation name: (identifier) @call)
(method_reference (identifier) @call .)
(object_creation_expression type: [
  (type_identifier) @call
  (scoped_type_identifier (type_identifier) @call .)
  (generic_type . [(type_identifier) @call (scoped_type_identifier (type_identifier) @call .)])
])
(annotation name: [(identifier) @call (scoped_identifier name: (identifier) @call)])
(marker_annotation name: [(identifier) @call (scoped_identifier name: (identifier) @call)])
; A whole package is named as written, a class or a member by its own name.
(import_declaration (scoped_identifier name: (identifier) @import) .)
(import_declaration (scoped_identifier) @import . (asterisk))
(superclass [
  (type_identifier) @inherit
  (scoped_type_identifier (type_identifier) @inherit .)
  (generic_type . [(type_identifier) @inherit (scoped_type_identifier (type_identifier) @inherit .)])
])
(super_interfaces (type_list [
  (type_identifier) @inherit
  (scoped_type_identifier (type_identifier) @inherit .)
  (generic_type . [(type_identifier) @inherit (scoped_type_identifier (type_identifier) @inherit .)])
]))
(extends_interfaces (type_list [
  (type_identifier) @inherit
  (scoped_type_identifier (type_identifier) @inherit .)
  (generic_type . [(type_identifier) @inherit (scoped_type_identifier (type_identifier) @inherit .)])
]))
