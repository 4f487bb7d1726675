[
  (class_declaration name: (identifier) @name)
  (export_statement declaration: (class_declaration name: (identifier) @name))
] @class
(field_definition property: (_) @name value: [(arrow_function) (function_expression)]) @method

(class_heritage [(identifier) @inherit (member_expression property: (property_identifier) @inherit)])
