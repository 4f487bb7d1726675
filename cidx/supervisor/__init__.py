"""Writes, installs, checks and repairs units and plists, so that the operating system owns the daemon's socket.

No state of its own: what is installed is what the unit files say, and what is wrong follows from them and from the
supervisor's answers. Nothing here runs on the way of a query.
"""
