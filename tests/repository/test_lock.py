"""One writer per repository."""

import os
import threading
from pathlib import Path

import pytest

from cidx.api.errors import CidxError, Code, Locked
from cidx.repository import lock


def test_a_second_writer_that_may_not_wait_is_told_who_holds_it(tmp_path: Path) -> None:
    with lock.writing(tmp_path, wait=False):
        assert lock.holder(tmp_path).startswith(f"process {os.getpid()} since ")
        with pytest.raises(Locked) as caught, lock.writing(tmp_path, wait=False):
            pass
    assert str(os.getpid()) in caught.value.why
    assert lock.holder(tmp_path) == ""


def test_a_second_writer_waits_and_is_told_once(tmp_path: Path) -> None:
    told: list[str] = []
    waiting, entered = threading.Event(), threading.Event()

    def wait() -> None:
        with lock.writing(tmp_path, wait=True, on_wait=lambda who: (told.append(who), waiting.set())[0]):
            entered.set()

    with lock.writing(tmp_path, wait=False):
        thread = threading.Thread(target=wait)
        thread.start()
        assert waiting.wait(10)
        assert not entered.is_set()
    assert entered.wait(10)
    thread.join()
    assert len(told) == 1


def test_waiting_ends_when_it_is_cancelled(tmp_path: Path) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with (
        lock.writing(tmp_path, wait=False),
        pytest.raises(CidxError) as caught,
        lock.writing(tmp_path, wait=True, cancelled=cancelled),
    ):
        pass
    assert caught.value.code is Code.INTERRUPTED


def test_a_deleted_lock_file_is_no_lock(tmp_path: Path) -> None:
    with lock.writing(tmp_path, wait=False):
        (tmp_path / lock.FILE).unlink()
        with lock.writing(tmp_path, wait=False):
            assert lock.holder(tmp_path)


def test_a_folder_that_is_gone_is_made_anew(tmp_path: Path) -> None:
    with lock.writing(tmp_path / "gone", wait=False):
        assert lock.holder(tmp_path / "gone")


def test_a_folder_that_can_not_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CidxError) as caught, lock.writing(tmp_path / "file" / "folder", wait=False):
        pass
    assert caught.value.code is Code.IO
    assert "folder" in caught.value.what
