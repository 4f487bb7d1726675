"""Where a repository is and what it wants: its folder, its settings, its write lock."""
