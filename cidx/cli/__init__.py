"""Commands, session and rendering: the one place that puts the parts together."""
