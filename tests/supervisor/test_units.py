"""Unit files say what was meant, whatever a path looks like; systemd's own parser is asked."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cidx.api.errors import CidxError, Code
from cidx.supervisor import units
from cidx.supervisor.service import UNIT_VERSION
from tests.supervisor.kit import definition

SAYABLE = [
    "my rép 100%", 'quo"te', "apos'trophe", "back\\slash", "end\\", "$HOME ${X} $$", "%h %t %%", "new\nline",
    "tab\there", "trailing ", " leading", "; semicolon ;", "#hash", "@ID@ @REPOSITORY@", "\u202eparty\U0001f389",
    "\x01\x7f", "glob*[a]?", "-dash", "carriage\rreturn", "next\x85line", "separator\u2028", "/".join(["d" * 200] * 15),
]  # fmt: skip


def argument_of(text: str) -> str:
    """What systemd makes of the quoted argument behind `--root`."""
    found = re.search(r'^ExecStart=.* --root "(.*)"$', text, re.MULTILINE)
    assert found
    escaped = found.group(1).replace("%%", "%")
    raw = re.sub(
        rb"\\(x[0-9a-f]{2}|.)",
        lambda one: bytes.fromhex(one[1][1:].decode()) if len(one[1]) == 3 else one[1],
        escaped.encode(),
    )
    return raw.decode()


@pytest.mark.parametrize("name", SAYABLE, ids=ascii)
def test_every_path_comes_out_as_it_went_in(name: str) -> None:
    wanted = definition(f"/home/me/{name}")
    for text in (units.socket_text(wanted), units.service_text(wanted)):
        assert units.from_field(units.fields(text)["Repository"]) == wanted.root
        assert all(line.isprintable() for line in text.split("\n"))
    assert argument_of(units.service_text(wanted)) == wanted.root


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_has_nothing_to_say_about_any_of_them(tmp_path: Path) -> None:
    files = []
    for name in SAYABLE:
        wanted = definition(f"{tmp_path}/{name}", python=shutil.which("true") or "/bin/true")
        for file, text in (
            (units.socket_name(wanted.id), units.socket_text(wanted)),
            (units.service_name(wanted.id), units.service_text(wanted)),
        ):
            files.append(tmp_path / file)
            files[-1].write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", *files],
        env={"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["caf\udce9", "\ufdd0", "\uffff"], ids=ascii)
def test_what_systemd_can_not_read_is_refused(name: str) -> None:
    with pytest.raises(CidxError) as refused:
        units.service_text(definition(f"/home/me/{name}"))
    assert refused.value.code is Code.UNSUPPORTED_PATH
    assert all(part.isprintable() and part for part in refused.value.to_json().values())


@pytest.mark.parametrize(
    "python", ['/opt/"quoted"/python', "/opt/back\\slash/python", "/opt/new\nline/python"]
)
def test_a_python_that_systemd_would_not_start_is_refused(python: str) -> None:
    with pytest.raises(CidxError, match="path of Python"):
        units.service_text(definition("/src", python=python))


def test_the_description_is_one_readable_line() -> None:
    assert "\nDescription=cidx daemon of /home/me/100%%\n" in units.service_text(definition("/home/me/100%"))
    long = units.readable("/" + "x" * 3000 + "/end")
    assert len(long) == 80
    assert long.endswith("x/end")
    assert not units.readable("/home/me/end\\").endswith("\\")


def test_every_unit_remembers_what_it_is() -> None:
    text = units.socket_text(definition("/src/project"), made=["/home/me/.config/systemd"])
    fields = units.fields(text)
    assert fields["UnitVersion"] == str(UNIT_VERSION)
    assert units.from_field(fields["Python"]) == "/opt/cidx venv/bin/python"
    assert units.from_field(fields["Made"]) == ["/home/me/.config/systemd"]
    assert units.from_field("not ours") is None


def test_only_our_names_are_ours() -> None:
    assert units.id_of("cidx-0123456789abcdef.socket") == "0123456789abcdef"
    for name in (
        "cidx-.service.d",
        "cidx-0123456789abcdef.socket.d",
        "cidx-0123456789ABCDEF.service",
        "x.socket",
    ):
        assert units.id_of(name) is None
