"""One module a command: its options, then what it does, in the words of the other rooms."""
