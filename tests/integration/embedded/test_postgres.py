"""What only Postgres asks for: an account that is not root, its own pid file, data of its own version."""

import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from powerloop.embedded import PostgresServer
from powerloop.embedded.accounts import Account, require_reach
from powerloop.kernel.errors import EmbeddedBusy, EmbeddedUnavailable

pytestmark = pytest.mark.integration

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become another account")

RUN_AS = """
import os, sys
from powerloop.embedded import PostgresServer
from powerloop.kernel.errors import EmbeddedUnavailable
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
with PostgresServer(sys.argv[1], durable=False) as server:
    print(os.stat(f"/proc/{server.pid}").st_uid)
"""


@pytest.fixture
def used(folder: Path, place_postgres: Callable[[Path], None]) -> Path:
    """A folder that Postgres has been started in before."""
    place_postgres(folder / "server")
    return folder / "server"


@as_root
def test_root_runs_it_as_an_account_without_power(postgres_server: PostgresServer, server_folder: Path):
    assert postgres_server.pid
    process = psutil.Process(postgres_server.pid)
    assert process.uids().real != 0
    assert process.uids().real == (server_folder / "postgres" / "data").stat().st_uid
    assert Path(f"/proc/{process.pid}/status").read_text().count("Groups:\t \n") == 1


@as_root
def test_root_is_told_which_folder_is_closed_to_the_account(folder: Path):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedUnavailable, match=rf"may not enter {closed}, .*chmod o\+x {closed}"):
        PostgresServer(closed / "server").start()
    closed.chmod(0o711)
    with PostgresServer(closed / "server", durable=False) as server:
        assert server.running


@as_root
def test_a_user_who_is_not_root_runs_it_as_himself(folder: Path):
    nobody = pwd.getpwnam("nobody")
    interpreter = Path(sys.executable).resolve()
    try:
        require_reach(interpreter, Account(name="nobody", uid=nobody.pw_uid, gid=nobody.pw_gid))
    except EmbeddedUnavailable as error:
        pytest.skip(f"this Python is root's alone: {error.message}")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    answer = subprocess.run(
        [sys.executable, "-c", RUN_AS, str(folder / "server"), str(nobody.pw_uid)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert answer.stdout.strip() == str(nobody.pw_uid), answer.stderr


def test_a_stale_pid_file_that_names_a_living_stranger_is_no_hindrance(used: Path, victim: Callable):
    stranger = victim("import sys; print('{\"ready\": 1}', flush=True); sys.stdin.read()")
    (used / "data" / "postmaster.pid").write_text(f"{stranger.process.pid}\n{used}/data\n")
    with PostgresServer(used, durable=False) as server:
        assert server.running


def test_data_that_a_postgres_of_other_making_uses_are_left_alone(used: Path, victim: Callable):
    # A postmaster is known by its pid file and by its working folder.
    stand_in = victim(
        "import os, sys; os.chdir(sys.argv[1]); print('{\"ready\": 1}', flush=True); sys.stdin.read()",
        str(used / "data"),
    )
    pid_file = used / "data" / "postmaster.pid"
    pid_file.write_text(f"{stand_in.process.pid}\n")
    with pytest.raises(EmbeddedBusy, match=f"process {stand_in.process.pid} already uses"):
        PostgresServer(used, durable=False).start()
    assert pid_file.exists()


def test_a_beginning_that_was_cut_short_is_begun_again(folder: Path):
    (folder / "data.draft").mkdir()
    (folder / "data.draft" / "PG_VERSION").write_text("18\n")
    with PostgresServer(folder, durable=False) as server:
        assert server.running


def test_data_of_a_version_that_is_not_here_are_refused_in_words(folder: Path):
    data = folder / "data"
    data.mkdir()
    if os.geteuid() == 0:
        os.chown(data, pwd.getpwnam("nobody").pw_uid, -1)
    (data / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedUnavailable, match="the data are of Postgres 9, and only 18"):
        PostgresServer(folder).start()


def test_a_lost_password_is_said_to_be_lost(used: Path):
    (used / "password").unlink()
    with pytest.raises(EmbeddedUnavailable, match=r"the password of the data is lost: .*password is gone"):
        PostgresServer(used, durable=False).start()


def test_text_is_unicode_and_compared_by_code_point(postgres_url: str):
    with psycopg.connect(postgres_url) as connection:
        row = connection.execute("SELECT lower('ÄÖ'), 'Z' < 'a', current_setting('timezone')").fetchone()
    assert row == ("äö", True, "UTC")
