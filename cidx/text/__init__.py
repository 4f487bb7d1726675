"""Bytes to words to a vector, the same way for documents and for queries."""
