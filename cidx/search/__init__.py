"""A query's text to candidates to fused, ranked hits of one snapshot."""
