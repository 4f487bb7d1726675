"""One generation on disk: catalogue (SQLite), full text (tantivy) and vectors, opened and published together."""
