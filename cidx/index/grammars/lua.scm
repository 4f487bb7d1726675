(function_declaration name: (identifier) @name) @function
(function_declaration name: [
  (dot_index_expression table: (_) @receiver field: (identifier) @name)
  (method_index_expression table: (_) @receiver method: (identifier) @name)
]) @method
(assignment_statement
  (variable_list . name: (identifier) @name)
  (expression_list . value: (function_definition))) @function
(variable_declaration (assignment_statement
  (variable_list . name: (identifier) @name)
  (expression_list . value: (function_definition)))) @function
(assignment_statement
  (variable_list . name: (dot_index_expression table: (_) @receiver field: (identifier) @name))
  (expression_list . value: (function_definition))) @method
(field name: (identifier) @name value: (function_definition)) @method
(chunk (assignment_statement
  (variable_list . name: (identifier) @name)
  (expression_list . value: [(table_constructor) (string) (number)])) @constant)
(chunk (variable_declaration (assignment_statement
  (variable_list . name: (identifier) @name)
  (expression_list . value: [(table_constructor) (string) (number)]))) @constant)
(comment) @lead

(function_call name: [
  (identifier) @call
  (dot_index_expression field: (identifier) @call)
  (method_index_expression method: (identifier) @call)
])
((function_call name: (identifier) @_require arguments: (arguments . (string content: (_) @import)))
  (#any-of? @_require "require" "dofile" "loadfile"))
