"""Fetch the sources that `measure.py` searches: released packages, through pip, npm and apt.

    python tests/quality/fetch.py --cache FOLDER

Each of the twelve repositories of the labelled queries, at about the revision that they were labelled at, becomes a git
tree `FOLDER/labelled/NAME` with its files at the paths of the repository; each package of the docstring view becomes
`FOLDER/packages/NAME`. What is there already is kept. Debian's sources are found through the mirror that this
machine's apt knows, with lists of their own below FOLDER.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# The Debian release whose packages are nearest to the labelled revisions.
SUITE = "trixie"


@dataclass(frozen=True, slots=True)
class Package:
    """A released package: which client fetches it, and which of its folders is which of the repository."""

    client: str
    name: str
    inside: str
    root: str


LABELLED = {
    "flask": Package("pip", "flask==3.1.2", "flask", "src/flask"),
    "click": Package("pip", "click==8.3.0", "click", "src/click"),
    "httpx": Package("pip", "httpx==0.28.1", "httpx", "httpx"),
    "express": Package("npm", "express@5.1.0", "lib", "lib"),
    "zod": Package("npm", "zod@4.1.13", "src", "packages/zod/src"),
    "libuv": Package("apt-source", "libuv1", "src", "src"),
    "nlohmann-json": Package("apt", "nlohmann-json3-dev", "usr/include/nlohmann", "include/nlohmann"),
    "cobra": Package("apt-source", "golang-github-spf13-cobra", ".", "."),
    "axum": Package("apt", "librust-axum-dev", "usr/share/cargo/registry/axum-*/src", "axum/src"),
    "gson": Package("apt-source", "libgoogle-gson-java", "gson", "gson"),
    "sinatra": Package("apt", "ruby-sinatra", "usr/share/rubygems-integration/all/gems/sinatra-*/lib", "lib"),
    "monolog": Package("apt", "php-monolog", "usr/share/php/Monolog", "src/Monolog"),
}
PACKAGES = {
    "django": Package("pip", "django==5.2", "django", "django"),
    "sqlalchemy": Package("pip", "sqlalchemy==2.0.44", "sqlalchemy", "sqlalchemy"),
    "networkx": Package("pip", "networkx==3.5", "networkx", "networkx"),
    "pandas": Package("pip", "pandas==2.3.3", "pandas", "pandas"),
    "sympy": Package("pip", "sympy==1.14.0", "sympy", "sympy"),
    "requests": Package("pip", "requests==2.32.5", "requests", "requests"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="where the sources go")
    parser.add_argument("names", nargs="*", help="only these")
    given = parser.parse_args()
    failed = []
    for folder, packages in (("labelled", LABELLED), ("packages", PACKAGES)):
        for name, package in packages.items():
            if given.names and name not in given.names:
                continue
            try:
                bring(package, given.cache.absolute() / folder / name, cache=given.cache.absolute())
            except (subprocess.CalledProcessError, OSError) as error:
                failed.append(name)
                print(f"{name}: {error}", file=sys.stderr)
    return 1 if failed else 0


def bring(package: Package, target: Path, *, cache: Path) -> None:
    """Make the tree; it appears whole or not at all."""
    if target.exists():
        return
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as place:
        unpacked = CLIENTS[package.client](package.name, Path(place), cache)
        tree = Path(place) / "tree"
        if package.root == ".":
            unpacked.rename(tree)
        else:
            (tree / package.root).parent.mkdir(parents=True)
            (inside,) = unpacked.glob(package.inside)
            inside.rename(tree / package.root)
        # What packagers add is not the repository's; neither are compiled files.
        shutil.rmtree(tree / "debian", ignore_errors=True)
        for compiled in [*tree.rglob("*.so"), *tree.rglob("*.pyc")]:
            compiled.unlink()
        call("git", "init", "-q", cwd=tree)
        target.parent.mkdir(parents=True, exist_ok=True)
        tree.rename(target)
    print(f"{package.name} -> {target}")


def from_pip(name: str, place: Path, _: Path) -> Path:
    """A wheel has the modules as the source package has them, and nothing is built to look into it."""
    call(
        sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", name, cwd=place
    )
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "unpacked")
    return place / "unpacked"


def from_npm(name: str, place: Path, _: Path) -> Path:
    call("npm", "pack", "--silent", name, cwd=place)
    (archive,) = place.glob("*.tgz")
    call("tar", "xzf", str(archive), cwd=place)
    return place / "package"


def from_apt(name: str, place: Path, cache: Path) -> Path:
    """A Debian package of a library that is its sources."""
    call("apt-get", *apt_options(cache / "apt"), "-qq", "download", name, cwd=place)
    (archive,) = place.glob("*.deb")
    call("dpkg-deb", "-x", str(archive), "unpacked", cwd=place)
    return place / "unpacked"


def from_apt_source(name: str, place: Path, cache: Path) -> Path:
    """The source as it was released, before Debian's patches."""
    call("apt-get", *apt_options(cache / "apt"), "-qq", "source", "--download-only", name, cwd=place)
    (archive,) = place.glob("*.orig.tar.*")
    (place / "unpacked").mkdir()
    call("tar", "xf", str(archive), "--strip-components=1", "-C", "unpacked", cwd=place)
    return place / "unpacked"


def apt_options(folder: Path) -> list[str]:
    """Of a configuration of our own that knows the packages of SUITE."""
    listed = folder / "sources.list"
    options = [
        "-o", f"Dir::Etc::sourcelist={listed}", "-o", "Dir::Etc::sourceparts=-",
        "-o", f"Dir::State::lists={folder / 'lists'}", "-o", f"Dir::Cache={folder / 'cache'}",
        "-o", "APT::Sandbox::User=root",
    ]  # fmt: skip
    if not listed.exists():
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        sites = call("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").split()
        listed.write_text(f"deb {sites[0]} {SUITE} main\ndeb-src {sites[0]} {SUITE} main\n")
        try:
            call("apt-get", *options, "-q", "update")
        except subprocess.CalledProcessError:
            listed.unlink()
            raise
    return options


CLIENTS: dict[str, Callable[[str, Path, Path], Path]] = {
    "pip": from_pip,
    "npm": from_npm,
    "apt": from_apt,
    "apt-source": from_apt_source,
}


def call(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | {"LC_ALL": "C"}
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
