(namespace_definition name: (namespace_identifier) @name) @module
(namespace_definition name: (nested_namespace_specifier
  (namespace_identifier) @receiver . (namespace_identifier) @name .)) @module
(namespace_definition name: (nested_namespace_specifier
  (namespace_identifier) @receiver
  . (nested_namespace_specifier (namespace_identifier) @receiver . (namespace_identifier) @name .))) @module
(class_specifier name: (type_identifier) @name body: (_)) @class
(class_specifier name: (template_type name: (type_identifier) @name) body: (_)) @class
(struct_specifier name: (template_type name: (type_identifier) @name) body: (_)) @struct
; `class EXPORT Name { ... }`: the macro is taken for the class, and the class for a function.
(function_definition
  type: [(class_specifier !body) (struct_specifier !body)]
  declarator: (identifier) @name) @class
(alias_declaration name: (type_identifier) @name) @type
(concept_definition name: (identifier) @name) @type

; Members: in their class by field name, elsewhere qualified by it.
(function_definition declarator: [
  (function_declarator declarator: [(field_identifier) (destructor_name) (operator_name)] @name)
  (pointer_declarator declarator: (function_declarator declarator: [(field_identifier) (operator_name)] @name))
  (reference_declarator (function_declarator declarator: [(identifier) (field_identifier) (operator_name)] @name))
  (function_declarator declarator: (template_function name: (identifier) @name))
  (operator_cast "operator" @name)
]) @function
(function_definition declarator: [
  (function_declarator declarator: (qualified_identifier
    scope: [(namespace_identifier) @receiver (template_type name: (type_identifier) @receiver)]
    name: [(identifier) (destructor_name) (operator_name)] @name))
  (pointer_declarator declarator: (function_declarator declarator: (qualified_identifier
    scope: [(namespace_identifier) @receiver (template_type name: (type_identifier) @receiver)]
    name: [(identifier) (operator_name)] @name)))
  (reference_declarator (function_declarator declarator: (qualified_identifier
    scope: [(namespace_identifier) @receiver (template_type name: (type_identifier) @receiver)]
    name: [(identifier) (operator_name)] @name)))
]) @method
(function_definition declarator: [
  (function_declarator declarator: (qualified_identifier
    scope: (namespace_identifier) @receiver
    name: (qualified_identifier
      scope: [(namespace_identifier) @receiver (template_type name: (type_identifier) @receiver)]
      name: [(identifier) (destructor_name) (operator_name)] @name)))
  (pointer_declarator declarator: (function_declarator declarator: (qualified_identifier
    scope: (namespace_identifier) @receiver
    name: (qualified_identifier
      scope: [(namespace_identifier) @receiver (template_type name: (type_identifier) @receiver)]
      name: [(identifier) (operator_name)] @name))))
  (reference_declarator (function_declarator declarator: (qualified_identifier
    scope: (namespace_identifier) @receiver
    name: (qualified_identifier
      scope: [(namespace_identifier) @receiver (template_type name: (type_identifier) @receiver)]
      name: [(identifier) (operator_name)] @name))))
]) @method

; Without a type it is a constructor, or a macro that makes a function of its arguments: `TEST(Suite, Name)`.
(field_declaration_list
  (function_definition !type declarator: (function_declarator declarator: (identifier) @name)) @method)
((function_definition
  !type
  declarator: (function_declarator
    declarator: (identifier) @_macro
    parameters: (parameter_list
      . (parameter_declaration type: (type_identifier) @receiver !declarator)
      . (parameter_declaration type: (type_identifier) @name !declarator) .))) @function
  (#match? @_macro "^[A-Z][A-Z0-9_]+$"))
((function_definition
  !type
  declarator: (function_declarator
    declarator: (identifier) @_macro
    parameters: (parameter_list . (parameter_declaration type: (type_identifier) @name !declarator) .))) @function
  (#match? @_macro "^[A-Z][A-Z0-9_]+$"))
((translation_unit
  (function_definition !type declarator: (function_declarator declarator: (identifier) @name)) @function)
  (#not-match? @name "^[A-Z][A-Z0-9_]+$"))

(declaration_list
  (declaration declarator: (init_declarator declarator: [
    (identifier) @name
    (array_declarator declarator: (identifier) @name)
  ])) @constant)

(template_declaration [
  (function_definition) (class_specifier) (struct_specifier) (alias_declaration) (concept_definition)
  (template_declaration)
] @inner) @outer

(call_expression function: [
  (qualified_identifier name: [
    (identifier) @call
    (template_function name: (identifier) @call)
    (qualified_identifier name: [
      (identifier) @call
      (template_function name: (identifier) @call)
      (qualified_identifier name: (identifier) @call)
    ])
  ])
  (template_function name: (identifier) @call)
  (field_expression field: (template_method name: (field_identifier) @call))
])
(new_expression type: [
  (type_identifier) @call
  (template_type name: (type_identifier) @call)
  (qualified_identifier name: [(type_identifier) @call (template_type name: (type_identifier) @call)])
])
(using_declaration [(qualified_identifier name: (identifier) @import) (identifier) @import])
(base_class_clause [
  (type_identifier) @inherit
  (template_type name: (type_identifier) @inherit)
  (qualified_identifier name: [
    (type_identifier) @inherit
    (template_type name: (type_identifier) @inherit)
    (qualified_identifier name: [(type_identifier) @inherit (template_type name: (type_identifier) @inherit)])
  ])
])
