"""The numbers that two versions of cidx compare. Imports nothing: the client reads it on every call."""

VERSION = "0.1.0"

# What client and daemon say to each other; raised when an older one would misunderstand. Fields added at the
# end of an answer need no raise: who does not know them passes over them.
PROTOCOL = 1
