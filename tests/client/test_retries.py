"""The schedule of further attempts comes from the places that all settings come from."""

import json
from pathlib import Path

import pytest

from cidx.client import retries
from cidx.repository import settings


def check(place: Path, expected: list[float], **environment: str) -> None:
    found = retries.delays_s(str(place / "root"), environment=environment, home=str(place / "home"))
    assert found == expected


def write(folder: Path, content: object) -> None:
    folder.mkdir(parents=True, mode=0o700)
    text = content if isinstance(content, str) else json.dumps({"daemon": content})
    (folder / "config.json").write_text(text)


DEFAULT_S = [0.1, 0.5, 1.0, 2.0]


def test_defaults_are_those_of_the_settings(tmp_path: Path) -> None:
    daemon = settings.DaemonSettings()
    assert daemon.max_retries == retries.MAX_RETRIES
    assert list(daemon.retry_delays_ms) == retries.RETRY_DELAYS_MS
    check(tmp_path, DEFAULT_S)


def test_the_repository_comes_before_the_user(tmp_path: Path) -> None:
    write(tmp_path / "home/.config/cidx", {"max_retries": 1, "retry_delays_ms": [7]})
    check(tmp_path, [0.007])
    write(tmp_path / "root/.code-indexer", {"max_retries": 2})
    check(tmp_path, [0.007, 0.007])


def test_the_environment_comes_first(tmp_path: Path) -> None:
    write(tmp_path / "root/.code-indexer", {"max_retries": 2})
    check(tmp_path, [0.1], CIDX_DAEMON_MAX_RETRIES="1")
    check(tmp_path, [0.001, 0.002], CIDX_DAEMON_RETRY_DELAYS_MS="1,2")
    check(tmp_path, [0.001, 0.001], CIDX_DAEMON_RETRY_DELAYS_MS="[1]")


@pytest.mark.parametrize(
    "content",
    [
        "not json",
        "[" * 100_000,
        "[]",
        '{"daemon": []}',
        {"max_retries": "many", "retry_delays_ms": "soon"},
        {"max_retries": 1000, "retry_delays_ms": [10**9]},
        {"max_retries": True, "retry_delays_ms": [True]},
        {"max_retries": -1, "retry_delays_ms": [-1]},
        {},
    ],
)
def test_what_is_not_valid_is_passed_over(tmp_path: Path, content: object) -> None:
    write(tmp_path / "root/.code-indexer", content)
    check(tmp_path, DEFAULT_S)


def test_a_file_that_others_can_write_does_not_count(tmp_path: Path) -> None:
    write(tmp_path / "root/.code-indexer", {"max_retries": 0})
    check(tmp_path, [])
    (tmp_path / "root/.code-indexer").chmod(0o777)
    check(tmp_path, DEFAULT_S)


def test_a_linked_folder_does_not_count(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", {"max_retries": 0})
    (tmp_path / "root").mkdir()
    (tmp_path / "root/.code-indexer").symlink_to(tmp_path / "elsewhere")
    check(tmp_path, DEFAULT_S)


def test_no_delays_are_no_waits(tmp_path: Path) -> None:
    write(tmp_path / "root/.code-indexer", {"max_retries": 2, "retry_delays_ms": []})
    check(tmp_path, [0.0, 0.0])
