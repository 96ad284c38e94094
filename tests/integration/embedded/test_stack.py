"""The stack of one folder: what it starts, who finds it, and that nothing of it stays."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import redis

from powerloop.embedded import EmbeddedStack, find_stack
from powerloop.kernel.errors import EmbeddedBusy, EmbeddedUnavailable
from powerloop.settings import read_settings

pytestmark = pytest.mark.integration

STACK_AND_WAIT = """
import json, sys
from powerloop.embedded import EmbeddedStack
with EmbeddedStack(sys.argv[1]) as stack:
    print(json.dumps(dict(stack.info.servers)), flush=True)
    sys.stdin.read()
"""
FIND = "from powerloop.embedded import find_stack; info = find_stack(); print(info.pid if info else None)"


@pytest.fixture
def home(folder: Path) -> Path:
    """Where a stack has never run."""
    return folder / ".powerloop"


@pytest.fixture
def used_home(home: Path, place_postgres: Callable[[Path], None]) -> Path:
    """Where a stack has run before."""
    place_postgres(home / "postgres")
    return home


def answers(url: str) -> bool:
    if url.startswith("redis"):
        with closing(redis.Redis.from_url(url)) as client:
            return bool(client.ping())
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def test_both_servers_answer_at_the_addresses_it_gives(home: Path):
    with EmbeddedStack(home) as stack:
        assert answers(stack.info.database_url)
        assert answers(stack.info.redis_url)
        assert set(stack.info.servers) == {"postgres", "redis"}


def test_all_of_it_is_gone_when_the_block_is_left(used_home: Path, gone: Callable):
    seen: list[int] = []

    def break_off() -> None:
        with EmbeddedStack(used_home) as stack:
            seen.extend(stack.info.servers.values())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert len(seen) == 2
    assert all(map(gone, seen))
    assert not (used_home / "stack.json").exists()
    assert find_stack(used_home) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_leave_stops_all_of_it(
    victim: Callable, gone: Callable, used_home: Path, number: signal.Signals
):
    owner = victim(STACK_AND_WAIT, str(used_home))
    assert owner.send(number) != 0
    assert all(map(gone, owner.said.values()))
    # Stopped and not merely killed with their owner: a shutdown removes the file.
    assert not (used_home / "postgres" / "data" / "postmaster.pid").exists()
    assert not (used_home / "stack.json").exists()


def test_after_a_kill_nothing_runs_and_the_file_left_behind_is_passed_over(
    victim: Callable, gone: Callable, eventually_blocking: Callable, used_home: Path
):
    owner = victim(STACK_AND_WAIT, str(used_home))
    assert find_stack(used_home)
    owner.send(signal.SIGKILL)
    eventually_blocking(lambda: all(map(gone, owner.said.values())), "the servers are gone")
    assert (used_home / "stack.json").exists()
    assert find_stack(used_home) is None
    with EmbeddedStack(used_home) as stack:
        found = find_stack(used_home)
        assert found == stack.info
        assert found.pid == os.getpid()


def test_a_second_stack_in_the_folder_is_refused_and_the_first_one_found(victim: Callable, used_home: Path):
    owner = victim(STACK_AND_WAIT, str(used_home))
    with pytest.raises(EmbeddedBusy, match=r"a stack already runs in .*/\.powerloop"):
        EmbeddedStack(used_home).start()
    found = find_stack(used_home)
    assert found
    assert found.pid == owner.process.pid
    assert found.servers == owner.said
    assert answers(found.database_url)


def test_another_terminal_finds_it_from_the_folder_and_from_those_below(home: Path):
    below = home.parent / "src" / "app"
    below.mkdir(parents=True)
    with EmbeddedStack(home, database_url="postgresql://elsewhere/db"):
        for place in (home.parent, below):
            answer = subprocess.run(
                [sys.executable, "-c", FIND], cwd=place, capture_output=True, text=True, check=True
            )
            assert answer.stdout.strip() == str(os.getpid())


def test_what_has_an_address_is_not_started(home: Path):
    settings = read_settings(discover=False, database_url="postgresql://db.example/mine", home=str(home))
    with EmbeddedStack.from_settings(settings) as stack:
        assert set(stack.info.servers) == {"redis"}
        assert stack.info.database_url == "postgresql://db.example/mine"
        assert not (home / "postgres").exists()
        assert find_stack(home) == stack.info


def test_nothing_is_started_where_all_has_an_address(home: Path):
    with EmbeddedStack(home, database_url="sqlite:///x.db", redis_url="redis://cache.example/0") as stack:
        assert stack.info.servers == {}
        assert stack.info.redis_url == "redis://cache.example/0"


def test_the_folder_is_closed_and_git_ignores_it(home: Path):
    with EmbeddedStack(home, database_url="postgresql://elsewhere/db"):
        assert stat.S_IMODE((home / "stack.json").stat().st_mode) == 0o600
        assert stat.S_IMODE(home.stat().st_mode) & 0o066 == 0
    subprocess.run(["git", "init", "--quiet", str(home.parent)], check=True)
    status = subprocess.run(
        ["git", "-C", str(home.parent), "status", "--porcelain"], capture_output=True, text=True, check=True
    )
    assert status.stdout == ""


def test_a_server_that_cannot_start_takes_the_others_with_it(
    used_home: Path, gone: Callable, monkeypatch: pytest.MonkeyPatch
):
    started: list[int] = []
    launch = EmbeddedStack._describe

    def fail(stack, servers):
        started.extend(launch(stack, servers).servers.values())
        raise EmbeddedUnavailable("no more")

    monkeypatch.setattr(EmbeddedStack, "_describe", fail)
    with pytest.raises(EmbeddedUnavailable):
        EmbeddedStack(used_home).start()
    assert len(started) == 2
    assert all(map(gone, started))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', json.dumps({"unknown": "field"})])
def test_a_file_that_means_nothing_is_passed_over(home: Path, text: str):
    home.mkdir()
    (home / "stack.json").write_text(text)
    assert find_stack(home) is None


def test_the_handler_of_sigterm_is_put_back(home: Path):
    before = signal.getsignal(signal.SIGTERM)
    with EmbeddedStack(home, database_url="postgresql://elsewhere/db", redis_url="redis://elsewhere/0"):
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is before
