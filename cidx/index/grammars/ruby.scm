(module name: [
  (constant) @name
  (scope_resolution scope: (_) @receiver name: (constant) @name)
  (scope_resolution !scope name: (constant) @name)
]) @module
(class name: [
  (constant) @name
  (scope_resolution scope: (_) @receiver name: (constant) @name)
  (scope_resolution !scope name: (constant) @name)
]) @class
(class (body_statement (method name: (_) @name) @method))
(module (body_statement (method name: (_) @name) @method))
(singleton_method name: (_) @name) @method
(singleton_class (body_statement (method name: (_) @name) @method))
(method name: (_) @name) @function
((call
  method: (identifier) @_define
  arguments: (argument_list . [(simple_symbol) (string)] @name)
  block: (_)) @method
  (#eq? @_define "define_method"))
(program (assignment left: (constant) @name) @constant)
(body_statement (assignment left: (constant) @name) @constant)
(comment) @lead

(call method: [(identifier) (constant)] @call)
(call receiver: [(constant) @call (scope_resolution name: (constant) @call)]
  method: (identifier) @_new (#eq? @_new "new"))
((call method: (identifier) @_require arguments: (argument_list . (string (string_content) @import)))
  (#any-of? @_require "require" "require_relative" "load" "autoload"))
(superclass [(constant) @inherit (scope_resolution name: (constant) @inherit)])
((call
  !receiver
  method: (identifier) @_include
  arguments: (argument_list [(constant) @inherit (scope_resolution name: (constant) @inherit)]))
  (#any-of? @_include "include" "extend" "prepend"))
