"""Makes the packaged model: `python packaging/model/make.py`.

Untrained: 4,096 rows of 256 uniformly random components from a fixed seed. Rows of so many random
components are nearly orthogonal, so a pooled vector keeps apart what it was pooled from.
"""

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from cidx.text import embedder  # noqa: E402  (after the path is set)

VERSION = "untrained-2"
ROWS, DIMENSIONS, SEED = 4096, 256, 20261120


def make() -> None:
    # Raw words of a bit generator: its stream is fixed for all numpy versions, unlike the distributions.
    words = np.random.PCG64(SEED).random_raw(ROWS * DIMENSIONS // 8)
    table = np.maximum(words.view(np.int8), -127).reshape(ROWS, DIMENSIONS)
    embedder.dump(embedder.MODEL_FILE, version=VERSION, table=table)
    print(f"{embedder.MODEL_FILE.relative_to(ROOT)}: {VERSION}, {embedder.MODEL_FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    make()
