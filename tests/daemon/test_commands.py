"""What other commands say of a daemon, and what Python programs get from it."""

import os
import threading

import pytest

import cidx
from cidx.api.errors import CidxError, Code
from tests.daemon.kit import serving
from tests.kit import Tree


@pytest.fixture
def indexed(tree: Tree) -> Tree:
    tree.write({"a.py": "def needle():\n    return 1\n"}).commit()
    tree.index()
    return tree


def test_status_shows_the_daemon(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        daemon.run("query", "needle")
        here = {"XDG_RUNTIME_DIR": daemon.runtime}
        status = indexed.run("status", "--json", environment=here).json
        assert status["daemon"]["queries"] == 1
        assert status["daemon"]["cache"]["bytes"] > 0
        assert set(status["daemon"]) >= {
            "pid",
            "version",
            "uptime_s",
            "connections",
            "errors",
            "cache",
            "latency_ms",
            "memory",
        }
        assert status["service"]["socket"] == daemon.path
        assert f"pid {status['daemon']['pid']}" in indexed.run("status", environment=here).out
    assert indexed.run("status", "--json", environment=here).json["daemon"] is None


def test_metrics_for_programs(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        daemon.run("query", "needle")
        daemon.run("query", "")
        here = {"XDG_RUNTIME_DIR": daemon.runtime}
        assert indexed.run("metrics", environment=here).json["errors"] == {"bad-query": 1}
        lines = indexed.run("metrics", "--prometheus", environment=here).out.splitlines()
        assert 'cidx_requests_total{operation="run"} 2' in lines
        assert 'cidx_errors_total{code="bad-query"} 1' in lines
        assert 'cidx_request_seconds_count{operation="run"} 2' in lines
    ran = indexed.run("metrics", environment=here)
    assert ran.code == 4
    assert "[unreachable]" in ran.err


def test_doctor_knows_a_daemon_and_what_only_looks_like_one(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        here = {"XDG_RUNTIME_DIR": daemon.runtime}
        assert "answers on" in indexed.run("doctor", environment=here).out
        daemon.process.kill()
        daemon.process.wait()
        ran = indexed.run("doctor", environment=here)
        assert ran.code == 1
        assert "does not answer this cidx" in ran.out
    assert indexed.run("doctor", environment=here).code == 0


def test_health_is_a_word_and_an_exit_code(indexed: Tree) -> None:
    assert (indexed.run("health").code, indexed.run("health").out.split(":")[0]) == (0, "well")
    indexed.write({"b.py": "x = 1\n"})
    assert (indexed.run("health").code, indexed.run("health", "--json").json["health"]) == (1, "degraded")
    indexed.run("clean")
    assert (indexed.run("health").code, indexed.run("health").out.split(":")[0]) == (2, "down")


def test_a_program_gets_values_from_the_daemon_or_without(
    indexed: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(indexed) as daemon:
        monkeypatch.setenv("XDG_RUNTIME_DIR", daemon.runtime)
        with cidx.connect(indexed.root) as client:
            answer = client.query("needle", languages=["py"], limit=3)
            assert (answer.served_by, answer.hits[0].path, answer.hits[0].symbol) == (
                "daemon",
                "a.py",
                "needle",
            )
            assert client.query("n.*dle", mode="regex", limit=0).hits[0].matches[0].line == 1
            assert client.query("neddle", fuzzy=True, min_score=0.01).hits
            assert client.symbols("needle").hits[0].kind == "function"
            assert client.refs("needle", kind=["call", "import"]).more is False
            assert client.similar("a.py:1", language="python").mode == "similar"
            with pytest.raises(ValueError, match="command of its own"):
                client.query("a.py:1", mode="similar")
            with pytest.raises(CidxError) as caught:
                client.query("needle", languages=["pyton"])
            assert caught.value.code is Code.USAGE
    with cidx.connect(indexed.root) as client:
        again = client.query("needle", languages=["py"], limit=3)
    assert again.served_by == "process"
    assert again.hits == answer.hits


def test_a_program_outside_a_repository_is_told(plain_tree: Tree) -> None:
    with pytest.raises(CidxError) as caught:
        cidx.connect(plain_tree.root)
    assert caught.value.code is Code.NOT_A_REPOSITORY


def test_an_expression_without_end_holds_nobody_up(tree: Tree) -> None:
    tree.write({"evil.md": "a" * 60 + "!\n", "a.py": "needle = 1\n"}).commit()
    tree.index()
    ended: list[int] = []
    with serving(tree) as daemon:
        asked = threading.Thread(
            target=lambda: ended.append(daemon.run("query", "--regex", "(a+)+$", request="evil").code)
        )
        asked.start()
        # Others are answered while it runs; that it still did is what its end by us shows.
        while daemon.run("query", "-q", "needle").code == 0 and not daemon.ask("cancel", "evil"):
            assert asked.is_alive()
        asked.join()
    assert ended == [130]


def test_a_cancelled_request_ends(indexed: Tree) -> None:
    session, _, err = indexed.session()
    session.cancelled.set()
    from cidx import cli

    assert cli.run(["query", "needle"], session) == 130
    assert b"cancelled" in err.getvalue()


def test_cancelling_what_does_not_run_is_no_error(indexed: Tree) -> None:
    with serving(indexed) as daemon:
        assert daemon.ask("cancel", f"{os.getpid()}-nothing") is False
