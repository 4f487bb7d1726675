(class_declaration declaration_kind: ["class" "actor"] name: (type_identifier) @name) @class
(class_declaration declaration_kind: "struct" name: (type_identifier) @name) @struct
(class_declaration declaration_kind: "enum" name: (type_identifier) @name) @enum
(class_declaration declaration_kind: "extension" name: (user_type) @name) @extension
(protocol_declaration name: (type_identifier) @name) @interface
(function_declaration name: (simple_identifier) @name) @function
(protocol_function_declaration name: (simple_identifier) @name) @method
(init_declaration "init" @name) @method
(deinit_declaration "deinit" @name) @method
(subscript_declaration "subscript" @name) @method
(typealias_declaration name: (type_identifier) @name) @type
(property_declaration name: (pattern bound_identifier: (simple_identifier) @name) computed_value: (_)) @property
(source_file (property_declaration name: (pattern bound_identifier: (simple_identifier) @name)) @constant)
((property_declaration
  (modifiers) @_modifiers
  (value_binding_pattern) @_binding
  name: (pattern bound_identifier: (simple_identifier) @name)) @constant
  (#match? @_modifiers "static")
  (#eq? @_binding "let"))
(comment) @lead
(multiline_comment) @lead

(call_expression . [
  (simple_identifier) @call
  (navigation_expression suffix: (navigation_suffix suffix: (simple_identifier) @call))
])
(constructor_expression constructed_type: (user_type (type_identifier) @call))
((attribute (user_type (type_identifier) @call)) (#match? @call "^[A-Z]"))
(import_declaration (identifier) @import)
(inheritance_specifier inherits_from: [
  (user_type (type_identifier) @inherit .)
  (user_type (type_identifier) @inherit . (type_arguments))
])
