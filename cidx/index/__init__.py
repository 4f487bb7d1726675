"""Files to chunks to the store: what changed, and only that."""
