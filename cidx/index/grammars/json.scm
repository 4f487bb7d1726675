; What is at the top and holds more than a value: a place to look for, not a list of settings.
(document (object (pair key: (string) @name value: [(object) (array)]) @section))
(comment) @lead
