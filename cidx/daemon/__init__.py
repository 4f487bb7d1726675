"""One process per repository: activation, RPyC server, cache of the open generation, vitals."""

from cidx.daemon.server import serve

__all__ = ["serve"]
