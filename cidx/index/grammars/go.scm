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

(call_expression function: [(identifier) @call (selector_expression field: (field_identifier) @call)])
(composite_literal type: [
  (type_identifier) @call
  (qualified_type name: (type_identifier) @call)
  (generic_type type: [(type_identifier) @call (qualified_type name: (type_identifier) @call)])
])
(import_spec path: (_) @import)
; What is embedded.
(field_declaration !name type: [
  (type_identifier) @inherit
  (qualified_type name: (type_identifier) @inherit)
  (generic_type type: [(type_identifier) @inherit (qualified_type name: (type_identifier) @inherit)])
])
(interface_type (type_elem . [
  (type_identifier) @inherit
  (qualified_type name: (type_identifier) @inherit)
] .))
