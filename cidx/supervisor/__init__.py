"""Writes, installs, checks and repairs units and plists. So far its templates only."""
