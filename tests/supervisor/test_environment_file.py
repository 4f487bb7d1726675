"""The daemon's own variables: read as written, kept from others, compared by name."""

from pathlib import Path

import pytest

from cidx.supervisor import environment_file


def test_variables_are_lines(tmp_path: Path) -> None:
    file = tmp_path / "environment"
    assert environment_file.load(file) == {}
    file.write_text("# a comment\n; another\nA=1\n B = two words \nC='quoted = sign'\nD=\"\"\nnothing\nA=2\n")
    assert environment_file.load(file) == {"A": "2", "B": "two words", "C": "quoted = sign", "D": ""}


@pytest.mark.parametrize(
    ("mode", "good"), [(0o600, True), (0o400, True), (0o640, False), (0o602, False)], ids=oct
)
def test_others_may_not_read_or_change_it(tmp_path: Path, mode: int, good: bool) -> None:
    file = tmp_path / "environment"
    assert environment_file.problem(file) == ""
    file.touch()
    file.chmod(mode)
    assert (environment_file.problem(file) == "") is good


def test_only_what_matters_is_compared_and_only_by_name() -> None:
    shell = {
        "HOME": "/a",
        "PATH": "/x",
        "CIDX_LOG": "debug",
        "https_proxy": "u:p@h",
        "MY_TOKEN": "1",
        "SAME_KEY": "k",
    }
    service = {"HOME": "/b", "PATH": "/y", "MY_TOKEN": "2", "SAME_KEY": "k", "OPENAI_API_KEY": "s"}
    assert environment_file.differences(shell, service) == {
        "only here": ["CIDX_LOG", "https_proxy"],
        "different": ["MY_TOKEN"],
        "only in the service": ["OPENAI_API_KEY"],
    }
