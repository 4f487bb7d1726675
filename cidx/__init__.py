"""Code search that answers in a blink, per repository, kept warm by the system's own supervisor."""
