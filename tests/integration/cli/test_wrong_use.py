"""Wrong use is answered in words: a code, what is wrong, what to do; and no traceback."""

import asyncio
import subprocess
from datetime import timedelta

import pytest
import redis

from powerloop.store import open_store

pytestmark = pytest.mark.integration


def answer(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_no_system_is_named(powerloop_process):
    said = answer(powerloop_process("session", "list"), 2)
    assert "settings.invalid: POWERLOOP_DATABASE_URL and POWERLOOP_REDIS_URL are not set" in said
    assert "powerloop dev" in said


def test_an_unknown_session(powerloop, system):
    assert "session.not_found: there is no session 'nowhere'" in answer(
        powerloop("send", "nowhere", "hi", **system), 2
    )


def test_an_unknown_send(powerloop, system):
    assert "send.not_found: there is no send 'nothing'" in answer(
        powerloop("sends", "show", "nothing", **system), 2
    )


def test_a_misspelt_setting(powerloop, system):
    said = answer(powerloop("session", "list", POWERLOOP_DATABSE_URL="x", **system), 2)
    assert "Did you mean POWERLOOP_DATABASE_URL?" in said


def test_a_misspelt_command_or_option(powerloop):
    assert "No such command" in answer(powerloop("sesion"), 2)
    assert "No such option" in answer(powerloop("session", "list", "--lmit", "3"), 2)


def test_a_cancel_of_nothing_or_of_two_things(powerloop, system):
    assert "input.invalid" in answer(powerloop("cancel", **system), 2)
    assert "not both" in answer(powerloop("cancel", "a", "--session", "s", **system), 2)
    assert "KEY=TEXT" in answer(powerloop("cancel", "--metadata", "customer", **system), 2)
    assert "is not JSON" in answer(powerloop("cancel", "--metadata", "customer:=4 2", **system), 2)


def test_an_unknown_question_and_an_answer_that_is_none(powerloop, system):
    unknown = answer(powerloop("inbox", "answer", "nothing", "--run", **system), 2)
    assert "interaction.not_found: there is no interaction 'nothing'" in unknown
    assert "interaction.not_found" in answer(powerloop("inbox", "show", "nothing", **system), 2)
    for wrong in ((), ("--run", "--give-up"), ("--value", "x", "--approve")):
        said = answer(powerloop("inbox", "answer", "nothing", *wrong, **system), 2)
        assert "one of --value, --approve, --edit, --deny, --done, --run, --give-up" in said


@pytest.mark.parametrize("command", ["beat", "fsck"])
def test_a_beat_or_a_check_of_no_system(powerloop_process, command):
    said = answer(powerloop_process(command), 2)
    assert "POWERLOOP_DATABASE_URL and POWERLOOP_REDIS_URL are not set" in said


def test_a_check_of_a_database_that_is_down(powerloop, redis_url):
    away = {"POWERLOOP_DATABASE_URL": "postgresql://127.0.0.1:1/app", "POWERLOOP_REDIS_URL": redis_url}
    assert "store.unavailable" in answer(powerloop("fsck", **away), 3)


def test_a_check_of_a_redis_that_is_down(powerloop, system):
    away = {**system, "POWERLOOP_REDIS_URL": "redis://127.0.0.1:1/0"}
    assert "broker.unavailable" in answer(powerloop("fsck", **away), 3)


@pytest.mark.parametrize("url", ["mysql//x", "oracle://db/app", "not a url"])
def test_a_database_address_that_is_none(powerloop, url):
    said = answer(powerloop("db", "status", "--url", url), 2)
    assert "settings.invalid" in said
    assert "postgresql://" in said


def test_a_database_that_is_down(powerloop, redis_url):
    said = answer(
        powerloop(
            "session",
            "list",
            POWERLOOP_DATABASE_URL="postgresql://someone:secret@127.0.0.1:1/app",
            POWERLOOP_REDIS_URL=redis_url,
        ),
        3,
    )
    assert "store.unavailable" in said
    assert "127.0.0.1:1/app" in said
    assert "secret" not in said


def test_a_schema_that_is_missing_under_the_policy_verify(powerloop, postgres_url, redis_url):
    environment = {
        "POWERLOOP_DATABASE_URL": postgres_url,
        "POWERLOOP_REDIS_URL": redis_url,
        "POWERLOOP_SCHEMA_POLICY": "verify",
    }
    said = answer(powerloop("session", "list", **environment), 3)
    assert "store.schema_missing" in said
    assert "powerloop db ddl" in said


def test_a_redis_that_is_down_refuses_a_worker_and_keeps_a_send(powerloop, powerloop_process, system):
    away = {**system, "POWERLOOP_REDIS_URL": "redis://:secret@127.0.0.1:1/0"}
    said = answer(powerloop_process("worker", "--app", "powerloop.cli.sample_agents", **away), 3)
    assert "broker.unavailable" in said
    assert "127.0.0.1:1" in said
    assert "secret" not in said
    assert powerloop("session", "new", "echo", "--id", "s", **away).returncode == 0
    accepted = powerloop("send", "s", "hello", **away)
    assert accepted.returncode == 0
    assert "Traceback" not in accepted.stderr
    assert '"status": "queued"' in powerloop("sends", "list", "--json", **away).stdout


def test_a_worker_of_agents_that_cannot_be_loaded(powerloop_process, system):
    said = answer(powerloop_process("worker", "--app", "nowhere", **system), 2)
    assert "app.broken: there is no module 'nowhere'" in said
    assert "POWERLOOP_APP" in answer(powerloop_process("worker", **system), 2)


def test_a_worker_of_a_queue_that_is_not_there(powerloop_process, system, tmp_path):
    (tmp_path / "surfing.py").write_text(
        "from powerloop import Agent, tool\n"
        "@tool(queue='browser')\ndef browse() -> str:\n    'Browse.'\n    return ''\n"
        "surfer = Agent(name='surfer', model='scripted:echo', tools=[browse])\n"
    )
    said = answer(powerloop_process("worker", "--app", "surfing", "--queues", "brwser", **system), 2)
    assert "there is no queue 'brwser'" in said
    assert "Did you mean 'browser'?" in said


def test_modules_that_are_broken_or_define_no_agent(powerloop, tmp_path):
    (tmp_path / "imports_what_is_not_there.py").write_text("import nothing_of_that_name\n")
    (tmp_path / "defines_nothing.py").write_text("")
    said = answer(powerloop("agents", "--app", "imports_what_is_not_there"), 2)
    assert "nothing_of_that_name" in said
    said = answer(powerloop("agents", "--app", "defines_nothing"), 2)
    assert "'defines_nothing' defines no agent" in said


def test_debug_shows_the_traceback(powerloop_process, system):
    done = powerloop_process("send", "nowhere", "hi", "--debug", **system)
    assert "Traceback" in done.stderr
    assert "SessionNotFound" in done.stderr


def test_the_doctor_finds_nothing_wrong_with_a_system_that_is_well(powerloop, system):
    done = powerloop("doctor", "--json", **system)
    assert done.returncode == 0, done.stdout
    assert '"check": "schema", "verdict": "ok"' in done.stdout


def test_the_doctor_says_whether_a_beat_runs(powerloop, system):
    assert "none runs" in powerloop("doctor", **system).stdout
    store = open_store(system["POWERLOOP_DATABASE_URL"])

    async def say() -> None:
        await store.beats.alive(timedelta(seconds=3))
        await store.close()

    asyncio.run(say())
    assert "one runs" in powerloop("doctor", **system).stdout


def test_the_doctor_counts_what_waits_in_the_queues_of_the_apps_tools(powerloop, system, tmp_path):
    (tmp_path / "surfers.py").write_text(
        "from powerloop import Agent, tool\n\n"
        "@tool(queue='browser', effect='read')\n"
        "async def visit(url: str) -> str:\n"
        '    """Visit a page."""\n'
        "    return url\n\n"
        "surfer = Agent(name='surfer', model='scripted:echo', tools=[visit])\n"
    )
    with redis.Redis.from_url(system["POWERLOOP_REDIS_URL"]) as client:
        client.lpush("browser", "m", "m")
        done = powerloop("doctor", **system, POWERLOOP_APP="surfers")
        client.delete("browser")
    assert "browser 2" in done.stdout
    assert "browser" not in powerloop("doctor", **system).stdout


def test_the_doctor_says_what_is_wrong_and_what_to_do(powerloop, postgres_url):
    environment = {
        "POWERLOOP_DATABASE_URL": postgres_url,
        "POWERLOOP_REDIS_URL": "redis://127.0.0.1:1/0",
        "POWERLOOP_SCHEMA_POLICY": "verify",
    }
    done = powerloop("doctor", **environment)
    assert done.returncode == 1
    assert "powerloop db upgrade" in done.stdout
    assert "broker.unavailable" in done.stdout


def test_the_schema_is_made_shown_and_printed(powerloop, postgres_url):
    before = powerloop("db", "status", "--url", postgres_url, "--json")
    assert (before.returncode, '"state": "missing"' in before.stdout) == (1, True)
    assert "CREATE TABLE powerloop.sends" in powerloop("db", "ddl", "--url", postgres_url).stdout
    after = powerloop("db", "upgrade", "--url", postgres_url, "--json")
    assert (after.returncode, '"state": "current"' in after.stdout) == (0, True)


@pytest.mark.parametrize("how", ["--wait", "--follow"])
def test_a_send_that_does_not_end_in_time(powerloop, system, how):
    assert powerloop("session", "new", "echo", "--id", "s", **system).returncode == 0
    said = answer(powerloop("send", "s", "hello", how, "--timeout", "0.5", **system), 4)
    assert "send.result_timeout" in said
    assert "it goes on" in said
