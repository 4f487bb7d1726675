[
  (function_definition name: (identifier) @name)
  (decorated_definition (function_definition name: (identifier) @name))
] @function
[
  (class_definition name: (identifier) @name)
  (decorated_definition (class_definition name: (identifier) @name))
] @class
(type_alias_statement left: (type (identifier) @name)) @type
(module (expression_statement (assignment left: (identifier) @name)) @constant)
(comment) @lead

(call function: [(identifier) @call (attribute attribute: (identifier) @call)])
(decorator [(identifier) @call (attribute attribute: (identifier) @call)])
(class_definition superclasses: (argument_list [
  (identifier) @inherit
  (attribute attribute: (identifier) @inherit)
  (subscript value: [(identifier) @inherit (attribute attribute: (identifier) @inherit)])
]))
(import_statement name: [(dotted_name) @import (aliased_import name: (dotted_name) @import)])
(import_from_statement module_name: [(dotted_name) (relative_import)] @import)
(import_from_statement name: [(dotted_name) @import (aliased_import name: (dotted_name) @import)])
