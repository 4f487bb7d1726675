; A block is named by its last label, within its labels: `resource.aws_s3_bucket.logs`.
(body (block . (identifier) @receiver . (string_lit) @receiver . (string_lit) @name . (block_start)) @section)
(body (block . (identifier) @receiver . (string_lit) @name . (block_start)) @section)
(config_file (body (block . (identifier) @name . (block_start)) @section))
(comment) @lead

(function_call . (identifier) @call)
((attribute (identifier) @_source (expression (literal_value (string_lit) @import)))
  (#eq? @_source "source"))
