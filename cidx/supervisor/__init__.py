"""Writes, installs, checks and repairs units and plists; talks to systemctl and launchctl. So far the templates only."""
