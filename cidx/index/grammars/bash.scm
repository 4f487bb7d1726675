(function_definition name: (word) @name) @function
(program (variable_assignment name: (variable_name) @name) @constant)
(program (declaration_command (variable_assignment name: (variable_name) @name)) @constant)
(comment) @lead

(command name: (command_name (word) @call))
((command name: (command_name (word) @_source) . argument: [(word) (string) (raw_string) (concatenation)] @import)
  (#any-of? @_source "source" "."))
