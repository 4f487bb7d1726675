"""Settings: precedence, ranges, and errors that name the path and what is allowed."""

import json
from pathlib import Path
from typing import Any

import pytest

from cidx.api.errors import CidxError, Code
from cidx.repository import settings


def write(folder: Path, content: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / settings.FILE).write_text(text)


def load(place: Path, **environment: str) -> settings.Settings:
    return settings.load(place / "repository", place / "user", environment)


def refused(place: Path, content: Any, code: Code = Code.BAD_CONFIG) -> CidxError:
    write(place / "repository", content)
    with pytest.raises(CidxError) as caught:
        load(place)
    assert caught.value.code is code
    return caught.value


def test_defaults_are_those_of_the_design(tmp_path: Path) -> None:
    found = load(tmp_path)
    assert found.index.max_file_bytes == 1_048_576
    assert found.daemon.retry_delays_ms == (100, 500, 1000, 2000)
    assert found.daemon.auto_index


def test_environment_then_repository_then_user(tmp_path: Path) -> None:
    write(tmp_path / "user", {"daemon": {"ttl_minutes": 1, "max_retries": 1, "memory_limit_mb": 1}})
    write(tmp_path / "repository", {"daemon": {"ttl_minutes": 2, "max_retries": 2}})
    found = load(tmp_path, CIDX_DAEMON_TTL_MINUTES="3").daemon
    assert (found.ttl_minutes, found.max_retries, found.memory_limit_mb) == (3.0, 2, 1)


def test_lists_from_the_environment(tmp_path: Path) -> None:
    assert load(tmp_path, CIDX_INDEX_EXCLUDE="*.min.js, dist/").index.exclude == ("*.min.js", "dist/")
    assert load(tmp_path, CIDX_DAEMON_RETRY_DELAYS_MS="[1, 2]").daemon.retry_delays_ms == (1, 2)


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ({"daemon": {"ttl_minutes": "soon"}}, "a number from 0.01 to 10080"),
        ({"daemon": {"ttl_minutes": -1}}, "a number from 0.01 to 10080"),
        ({"daemon": {"ttl_minutes": True}}, "a number"),
        ({"daemon": {"max_retries": 1.5}}, "a whole number from 0 to 10"),
        ({"daemon": {"enabled": "yes"}}, "true or false"),
        ({"daemon": {"retry_delays_ms": [1, "x"]}}, "a list of whole numbers from 0 to 60000"),
        ({"index": {"exclude": "*.py"}}, "a list of strings"),
        ({"index": {"languages": ["pyhton"]}}, "a list of languages that cidx knows"),
    ],
)
def test_a_bad_value_names_its_path_and_the_allowed_range(tmp_path: Path, value: Any, allowed: str) -> None:
    error = refused(tmp_path, value)
    section = next(iter(value))
    assert f"{section}.{next(iter(value[section]))}" in error.what
    assert allowed in error.why
    assert str(tmp_path / "repository" / settings.FILE) in error.why


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"daemon": 3}', "\ufeff{}x", "[" * 100_000, '{"version": "x"}', '{"version": []}']
)
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, text: str) -> None:
    assert str(tmp_path) in refused(tmp_path, text).what


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    assert "3.0.0" in refused(tmp_path, {"version": "3.0.0"}, Code.NEWER_CONFIG).what


def test_a_newer_minor_version_is_read(tmp_path: Path) -> None:
    write(tmp_path / "repository", {"version": "2.7.0", "daemon": {"ttl_minutes": 4}})
    assert load(tmp_path).daemon.ttl_minutes == 4


def test_unknown_keys_are_kept_and_named(tmp_path: Path) -> None:
    write(tmp_path / "repository", {"mine": 1, "daemon": {"ttl_minuts": 5}})
    file = tmp_path / "repository" / settings.FILE
    settings.write_value(file, settings.SETTINGS["daemon.ttl_minutes"], 7.0)
    assert json.loads(file.read_text())["daemon"] == {"ttl_minuts": 5, "ttl_minutes": 7.0}
    assert settings.unknown_keys(file) == ["daemon.ttl_minuts", "mine"]


def test_a_misspelt_setting_offers_the_nearest() -> None:
    with pytest.raises(CidxError, match="ttl_minuts") as caught:
        settings.find_setting("daemon.ttl_minuts")
    assert "daemon.ttl_minutes" in caught.value.why


def test_what_init_writes_is_the_defaults(tmp_path: Path) -> None:
    write(tmp_path / "repository", settings.defaults())
    assert load(tmp_path) == settings.Settings()


@pytest.mark.parametrize("path", sorted(settings.SETTINGS))
def test_every_default_is_allowed(path: str) -> None:
    setting = settings.SETTINGS[path]
    assert settings.check(setting, setting.default, "test") == setting.default
    assert setting.allowed
    assert setting.help
