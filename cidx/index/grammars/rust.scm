(function_item name: (identifier) @name) @function
(function_signature_item name: (identifier) @name) @function
(struct_item name: (type_identifier) @name) @struct
(union_item name: (type_identifier) @name) @struct
(enum_item name: (type_identifier) @name) @enum
(trait_item name: (type_identifier) @name) @trait
(impl_item type: [
  (type_identifier) @name
  (primitive_type) @name
  (scoped_type_identifier name: (type_identifier) @name)
  (generic_type type: (type_identifier) @name)
  (generic_type type: (scoped_type_identifier name: (type_identifier) @name))
  (reference_type type: (type_identifier) @name)
  (reference_type type: (generic_type type: (type_identifier) @name))
]) @impl
(mod_item name: (identifier) @name body: (_)) @module
(macro_definition name: (identifier) @name) @macro
(type_item name: (type_identifier) @name) @type
(const_item name: (identifier) @name) @constant
(static_item name: (identifier) @name) @constant
(line_comment) @lead
(block_comment) @lead
(attribute_item) @lead

(call_expression function: [
  (identifier) @call
  (field_expression field: (field_identifier) @call)
  (scoped_identifier name: (identifier) @call)
  (generic_function function: [
    (identifier) @call
    (field_expression field: (field_identifier) @call)
    (scoped_identifier name: (identifier) @call)
  ])
])
(macro_invocation macro: [(identifier) @call (scoped_identifier name: (identifier) @call)])
(struct_expression name: [
  (type_identifier) @call
  (scoped_type_identifier name: (type_identifier) @call)
  (generic_type_with_turbofish type: (type_identifier) @call)
])
(use_declaration argument: [(identifier) @import (scoped_identifier name: (identifier) @import)])
(use_list [(identifier) @import (scoped_identifier name: (identifier) @import)])
(use_as_clause path: [(identifier) @import (scoped_identifier name: (identifier) @import)])
(mod_item name: (identifier) @import !body)
(extern_crate_declaration name: (identifier) @import)
(impl_item trait: [
  (type_identifier) @inherit
  (scoped_type_identifier name: (type_identifier) @inherit)
  (generic_type type: [(type_identifier) @inherit (scoped_type_identifier name: (type_identifier) @inherit)])
])
(trait_item bounds: (trait_bounds [
  (type_identifier) @inherit
  (scoped_type_identifier name: (type_identifier) @inherit)
  (generic_type type: [(type_identifier) @inherit (scoped_type_identifier name: (type_identifier) @inherit)])
]))
