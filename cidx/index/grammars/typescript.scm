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

(extends_clause value: [(identifier) @inherit (member_expression property: (property_identifier) @inherit)])
(implements_clause [
  (type_identifier) @inherit
  (nested_type_identifier name: (type_identifier) @inherit)
  (generic_type name: [(type_identifier) @inherit (nested_type_identifier name: (type_identifier) @inherit)])
])
(extends_type_clause type: [
  (type_identifier) @inherit
  (nested_type_identifier name: (type_identifier) @inherit)
  (generic_type name: [(type_identifier) @inherit (nested_type_identifier name: (type_identifier) @inherit)])
])
(import_require_clause source: (string (string_fragment) @import))
