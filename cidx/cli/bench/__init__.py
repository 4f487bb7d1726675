"""What a daemon gains on this repository and this machine: measured, compared and judged."""
