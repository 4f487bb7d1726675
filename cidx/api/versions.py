"""The numbers that two versions of cidx compare. Imports nothing: the client reads it on every call."""

VERSION = "0.1.0"
