import json
import os
from datetime import timedelta

import pytest

from powerloop.kernel.errors import SettingsInvalid
from powerloop.settings import read_settings


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """A folder without a stack, and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("POWERLOOP_")]:
        monkeypatch.delenv(name)
    return tmp_path


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("POWERLOOP_DATABASE_URL", "postgresql://db/app")
    monkeypatch.setenv("POWERLOOP_LEASE_TTL", "2.5")
    settings = read_settings()
    assert settings.database_url == "postgresql://db/app"
    assert settings.lease_ttl == timedelta(seconds=2.5)


def test_an_override_wins_and_an_empty_one_does_not(monkeypatch):
    monkeypatch.setenv("POWERLOOP_APP", "one")
    assert read_settings(app="two").app == "two"
    assert read_settings(app="").app == "one"


def test_the_broker_is_redis_unless_it_is_named():
    assert read_settings(redis_url="redis://r").celery_broker_url == "redis://r"
    assert read_settings(redis_url="redis://r", broker_url="amqp://b").celery_broker_url == "amqp://b"


def test_a_misspelt_setting_is_refused_with_the_nearest_name(monkeypatch):
    monkeypatch.setenv("POWERLOOP_DATABSE_URL", "x")
    with pytest.raises(SettingsInvalid, match="Did you mean POWERLOOP_DATABASE_URL"):
        read_settings()


def test_a_malformed_value_is_refused_with_its_name(monkeypatch):
    monkeypatch.setenv("POWERLOOP_DATABASE_POOL", "many")
    with pytest.raises(SettingsInvalid, match="POWERLOOP_DATABASE_POOL: Input should be a valid integer"):
        read_settings()


def test_a_send_is_given_at_least_one_attempt(monkeypatch):
    assert read_settings().max_attempts == 5
    monkeypatch.setenv("POWERLOOP_MAX_ATTEMPTS", "0")
    with pytest.raises(SettingsInvalid, match="POWERLOOP_MAX_ATTEMPTS: Input should be"):
        read_settings()


def write_stack(folder, pid):
    (folder / ".powerloop").mkdir()
    record = {"database_url": "postgresql://here", "redis_url": "redis://here", "pid": pid}
    (folder / ".powerloop" / "stack.json").write_text(json.dumps(record))


def test_the_stack_of_a_folder_above_is_found(nowhere, monkeypatch):
    write_stack(nowhere, os.getpid())
    (nowhere / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(nowhere / "deep" / "er")
    assert read_settings().redis_url == "redis://here"
    assert read_settings(discover=False).redis_url == ""


def test_addresses_that_are_set_win_over_the_stack(nowhere, monkeypatch):
    write_stack(nowhere, os.getpid())
    monkeypatch.setenv("POWERLOOP_REDIS_URL", "redis://elsewhere")
    settings = read_settings()
    assert (settings.database_url, settings.redis_url) == ("postgresql://here", "redis://elsewhere")


def test_a_stack_whose_process_is_gone_is_passed_over(nowhere):
    gone = os.fork()
    if gone == 0:
        os._exit(0)
    os.waitpid(gone, 0)
    write_stack(nowhere, gone)
    assert read_settings().database_url == ""
