"""What the wheel carries, and that its launcher finds home."""

import os
import stat
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
LAUNCHER = CHECKOUT / "packaging/bin/cidx"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(folder), str(CHECKOUT)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert built.returncode == 0, f"the wheel could not be built:\n{built.stdout}{built.stderr}"
    [path] = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_launcher_is_a_data_script_that_pip_leaves_alone(wheel: zipfile.ZipFile) -> None:
    [script] = [info for info in wheel.infolist() if info.filename.endswith(".data/scripts/cidx")]
    assert wheel.read(script).startswith(b"#!/bin/sh\n")
    assert stat.S_IMODE(script.external_attr >> 16) == 0o755


def test_all_modules_and_the_licence_are_in(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "cidx").rglob("*.py")} <= names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_data_beside_the_modules_is_in(wheel: zipfile.ZipFile) -> None:
    """The packaged model above all: without it nothing can be embedded."""
    data = {
        str(path.relative_to(CHECKOUT))
        for path in (CHECKOUT / "cidx").rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }
    assert data <= set(wheel.namelist())


def test_service_templates_are_in(wheel: zipfile.ZipFile) -> None:
    templates = {name for name in wheel.namelist() if name.endswith(".in")}
    assert templates == {
        "cidx/supervisor/systemd/cidx.socket.in",
        "cidx/supervisor/systemd/cidx.service.in",
        "cidx/supervisor/launchd/dev.cidx.plist.in",
    }


def test_nothing_else_is_in(wheel: zipfile.ZipFile) -> None:
    """No tests, no packaging recipes, no second top-level package."""
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.startswith("cidx_code_search-")} == {"cidx"}


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment whose python only says how it was called."""
    bin_folder = tmp_path / "some where/venv/bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "cidx").write_bytes(LAUNCHER.read_bytes())
    (bin_folder / "cidx").chmod(0o755)
    (bin_folder / "real-python").write_text('#!/bin/sh\nprintf "%s\\n" "$0" "$@"\n')
    (bin_folder / "real-python").chmod(0o755)
    (bin_folder / "python").symlink_to("real-python")
    return bin_folder.parent


def call(
    launcher: Path | str, *arguments: str, cwd: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HOME": "/nonexistent", "XDG_DATA_HOME": ""} | variables
    return subprocess.run(
        [str(launcher), *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def absolute(environment: Path, links: Path) -> Path:
    (links / "cidx").symlink_to(environment / "bin/cidx")
    return links / "cidx"


def relative(environment: Path, links: Path) -> Path:
    (links / "cidx").symlink_to(os.path.relpath(environment / "bin/cidx", links))
    return links / "cidx"


def chain(environment: Path, links: Path) -> Path:
    """A relative link to an absolute one to a relative one, through a linked folder that lies elsewhere."""
    far = links / "far/away"
    far.mkdir(parents=True)
    (far / "third").symlink_to(os.path.relpath(environment / "bin/cidx", far))
    (links / "near").symlink_to("far/away")
    (links / "second").symlink_to(links / "near/third")
    (links / "first").symlink_to("second")
    return links / "first"


def no_link(environment: Path, links: Path) -> Path:
    return environment / "bin/cidx"


@pytest.mark.parametrize("way", [no_link, absolute, relative, chain])
def test_launcher_finds_its_environment(
    environment: Path, tmp_path: Path, way: Callable[[Path, Path], Path]
) -> None:
    """And starts python under the environment's path, isolated, with the arguments as they were."""
    links = tmp_path / "my links"
    links.mkdir()
    answer = call(way(environment, links), "query", "two  words", "", "*", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    program, *arguments = answer.stdout.split("\n")[:-1]
    assert os.path.samefile(os.path.dirname(program), environment / "bin")
    assert os.path.basename(program) == "python"
    assert arguments == ["-I", "-m", "cidx", "query", "two  words", "", "*"]


def test_launcher_needs_no_process_for_the_link_that_install_makes(environment: Path, tmp_path: Path) -> None:
    """With nothing on PATH there is no readlink to call."""
    usual = tmp_path / "data/cidx"
    usual.mkdir(parents=True)
    environment.rename(usual / "venv")
    (tmp_path / "cidx").symlink_to(usual / "venv/bin/cidx")
    answer = call(tmp_path / "cidx", cwd=tmp_path, XDG_DATA_HOME=str(tmp_path / "data"), PATH="/nonexistent")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[0] == str(usual / "venv/bin/python")


def test_launcher_works_from_its_own_folder(environment: Path) -> None:
    answer = call("./cidx", cwd=environment / "bin")
    assert answer.stdout.splitlines()[0] == "./python"
    answer = call("sh", "cidx", cwd=environment / "bin")
    assert answer.stdout.splitlines()[0] == "./python"


def test_launcher_without_its_python_says_what_to_do(environment: Path, tmp_path: Path) -> None:
    (environment / "bin/real-python").unlink()
    answer = call(environment / "bin/cidx", cwd=tmp_path)
    assert answer.returncode == 70
    assert answer.stdout == ""
    [line] = answer.stderr.splitlines()
    assert str(environment / "bin/python") in line
    assert "run install.sh again" in line


def test_launcher_imports_nothing_from_the_working_directory(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", symlinks=True)
    [packages] = (tmp_path / "venv").glob("lib/python*/site-packages")
    wheel.extractall(packages)
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    launcher = tmp_path / "venv/bin/cidx"
    launcher.write_bytes(LAUNCHER.read_bytes())
    launcher.chmod(0o755)
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    for module in ("cidx", "numpy", "click", "json"):
        (hostile / f"{module}.py").write_text(f"raise SystemExit('the wrong {module}')")
    answer = call(launcher, "--version", cwd=hostile, PYTHONPATH=str(hostile))
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith("cidx ")
