"""The numbers that two versions of cidx compare. Imports nothing: the client reads it on every call."""

VERSION = "0.1.0"

# What client and daemon say to each other; raised when an older one would misunderstand. Fields added at the
# end of an answer need no raise: who does not know them passes over them.
# Once released, it also rises with the format of the index: a daemon that can't read what a newer cidx has
# written is one to do without, not one to ask.
PROTOCOL = 1
