(class_declaration "interface" name: (identifier) @name) @interface
(class_declaration (modifiers (class_modifier "enum")) name: (identifier) @name) @enum
(class_declaration name: (identifier) @name) @class
(object_declaration name: (identifier) @name) @object
(function_declaration name: (identifier) @name) @function
(function_declaration . (user_type (identifier) @receiver .) name: (identifier) @name) @method
(function_declaration (modifiers) . (user_type (identifier) @receiver .) name: (identifier) @name) @method
(function_declaration (type_parameters) . (user_type . (identifier) @receiver) name: (identifier) @name) @method
(secondary_constructor "constructor" @name) @method
(type_alias . (identifier) @name) @type
(source_file (property_declaration (variable_declaration (identifier) @name)) @constant)
((property_declaration (modifiers) @_modifiers (variable_declaration (identifier) @name)) @constant
  (#match? @_modifiers "const"))
(property_declaration (variable_declaration (identifier) @name) (getter)) @property
(line_comment) @lead
(block_comment) @lead

(call_expression . [(identifier) @call (navigation_expression (identifier) @call .)])
(annotation [
  (user_type (identifier) @call .)
  (constructor_invocation (user_type (identifier) @call .))
])
(import (qualified_identifier (identifier) @import .))
(delegation_specifier [
  (user_type (identifier) @inherit .)
  (user_type (identifier) @inherit . (type_arguments))
  (constructor_invocation (user_type (identifier) @inherit .))
  (constructor_invocation (user_type (identifier) @inherit . (type_arguments)))
])
