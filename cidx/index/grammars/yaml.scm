; What is at the top and holds more than a value: a place to look for, not a list of settings.
(document (block_node (block_mapping
  (block_mapping_pair key: (flow_node) @name value: (block_node)) @section)))
(comment) @lead
