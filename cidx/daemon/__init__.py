"""One process per repository: activation, RPyC server, cache of the open generation. Nothing lives here yet."""
