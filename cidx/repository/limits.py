"""How much memory the daemon of a repository may have where its settings don't say."""

from cidx.repository.repository import Repository, index_bytes

# Guards against a leak, not against use: a warm daemon needs its imports, one that indexes a few hundred MB more.
_LEAST_MB = 2048
_STEP_MB = 1024


def derived_mb(repository: Repository) -> int:
    """A limit that ends a leak and no honest work: it grows with the index."""
    # Steps, so that the files of a service don't change with every commit.
    needed = _STEP_MB + 4 * index_bytes(repository.index_folder) // 1_000_000
    return max(_LEAST_MB, -(-needed // _STEP_MB) * _STEP_MB)
