(function_declaration name: (identifier) @name) @function
(variable_declaration . (identifier) @name (struct_declaration)) @struct
(variable_declaration . (identifier) @name (union_declaration)) @struct
(variable_declaration . (identifier) @name (opaque_declaration)) @struct
(variable_declaration . (identifier) @name (enum_declaration)) @enum
(variable_declaration . (identifier) @name (error_set_declaration)) @enum
(test_declaration [(string (string_content)) (identifier)] @name) @function
(source_file (variable_declaration . (identifier) @name [
  (integer) (float) (string) (multiline_string) (boolean) (anonymous_struct_initializer) (struct_initializer)
]) @constant)
(comment) @lead

(call_expression function: [(identifier) @call (field_expression member: (identifier) @call)])
((builtin_function (builtin_identifier) @_import (arguments . (string (string_content) @import)))
  (#any-of? @_import "@import" "@cImport" "@embedFile"))
