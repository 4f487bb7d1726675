; Elements are uses of a component; those in lower case belong to the browser.
([
  (jsx_opening_element name: [(identifier) @call (member_expression property: (property_identifier) @call)])
  (jsx_self_closing_element name: [(identifier) @call (member_expression property: (property_identifier) @call)])
] (#match? @call "^[A-Z]"))
