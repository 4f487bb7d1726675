"""Makes the packaged model: `python packaging/model/make.py [--work FOLDER]`.

Puts what it needs, pinned by hash, into an environment and a folder of its own, then runs `recipe.py` there. Needs
Python 3.11 on Linux x86-64 and a package index; nothing is trained in tests, CI or installs. With `--work` the folder
stays, and its downloads are found there by the next run.
"""

import argparse
import os
import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements"


def make(work: Path) -> None:
    python = work / "venv" / "bin" / "python"
    if not python.exists():
        venv.create(work / "venv", with_pip=True)
        _pip(python, "install", "--require-hashes", "--no-deps", "-r", str(REQUIREMENTS / "tools.txt"))
    for name in ("sources", "teacher", "evaluation"):
        download(name, work, python=python)
    # One thread, and a fixed order of strings in sets: the same table on every run of one machine.
    settings = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    command = [str(python), str(HERE / "recipe.py"), str(work)]
    subprocess.run(command, check=True, env=os.environ | settings)


def download(name: str, work: Path, *, python: Path = Path(sys.executable)) -> Path:
    """The folder with the wheels of a requirements file; pip checks their hashes."""
    folder = work / name
    if not folder.is_dir():
        part = work / f"{name}.part"
        options = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--dest", str(part)]
        _pip(python, "download", *options, "-r", str(REQUIREMENTS / f"{name}.txt"))
        part.rename(folder)
    return folder


def _pip(python: Path, *arguments: str) -> None:
    subprocess.run([str(python), "-m", "pip", "--quiet", *arguments], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, help="a folder that stays; else a temporary one")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="cidx-model-") as temporary:
        folder = options.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        make(folder.resolve())
