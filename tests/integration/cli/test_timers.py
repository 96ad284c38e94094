"""``powerloop timer``: timers are made, listed, shown, previewed and steered. No beat runs."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import redis

pytestmark = pytest.mark.integration

#: In a zone with two times of the year, and far from now.
AT = "2099-01-31T09:00:00+01:00"
AT_UTC = "2099-01-31T08:00:00+00:00"
KEYS = {
    *("id", "session_id", "agent", "owner", "status", "reason", "input", "at", "every_s", "cron", "tz"),
    *("dst", "start", "end", "jitter_s", "max_fires", "overlap", "catch_up", "catch_up_window_s"),
    *("pause_after", "priority", "metadata", "fires", "skips", "last_send_id", "tick_at", "due_at"),
    *("asked_at", "held_at", "last_tick_at", "created_at", "armed_at", "ended_at"),
}


@pytest.fixture
def add(run):
    """Makes a timer, of the agent ``echo`` unless it is said whose; its row."""

    def add(*options, whose=("--agent", "echo")):
        [row] = run("timer", "add", "Look at {{date}}.", *whose, *options)
        return row

    return add


@pytest.fixture
def refuse(powerloop, system):
    """Runs a command that is wrong use; what it says of that."""

    def refuse(*arguments):
        done = powerloop("timer", *arguments, **system)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert "Traceback" not in done.stderr
        return " ".join(done.stderr.split())

    return refuse


def ago(text):
    return datetime.now(UTC) - datetime.fromisoformat(text)


def test_a_timer_wakes_a_session_once(run, add):
    run("session", "new", "echo", "--id", "s")
    row = add("--at", AT, "--tz", "Europe/Berlin", "--id", "t", whose=("--session", "s"))
    assert row.keys() == KEYS
    assert (row["id"], row["session_id"], row["agent"], row["owner"]) == ("t", "s", "echo", "producer")
    assert (row["status"], row["input"], row["tz"]) == ("armed", "Look at {{date}}.", "Europe/Berlin")
    assert [row[name] for name in ("at", "tick_at", "due_at")] == [AT_UTC] * 3
    assert (row["every_s"], row["cron"], row["ended_at"]) == (None, None, None)


def test_a_timer_says_all_that_there_is_to_say(add):
    row = add(
        *("--cron", "0 9 * * 1-5", "--tz", "Europe/Berlin", "--dst", "twice", "--jitter", "1m30s"),
        *("--start", AT, "--end", "2099-03-01T00:00Z", "--max-fires", "7", "--overlap", "buffer_one"),
        *("--catch-up", "all", "--catch-up-window", "1.5h", "--pause-after", "3", "--priority", "4"),
        *("--metadata", "team=ops", "--metadata", "level:=2", "--disarmed"),
    )
    assert (row["cron"], row["dst"], row["jitter_s"]) == ("0 9 * * 1-5", "twice", 90.0)
    assert (row["start"], row["end"]) == (AT_UTC, "2099-03-01T00:00:00+00:00")
    assert (row["max_fires"], row["overlap"], row["pause_after"], row["priority"]) == (7, "buffer_one", 3, 4)
    assert (row["catch_up"], row["catch_up_window_s"]) == ("all", 5400.0)
    assert row["metadata"] == {"team": "ops", "level": 2}
    assert (row["status"], row["reason"], row["session_id"]) == ("paused", "made disarmed", None)
    assert row["tick_at"] == "2099-02-02T08:00:00+00:00"


def test_spans_count_from_now(add):
    once, often = add("--after", "1h30m"), add("--every", "10m")
    assert timedelta(minutes=89) < -ago(once["at"]) < timedelta(minutes=91)
    assert (often["every_s"], often["start"]) == (600.0, often["tick_at"])
    assert timedelta(minutes=9) < -ago(often["tick_at"]) < timedelta(minutes=11)


def test_people_are_told_the_id(powerloop, system):
    done = powerloop("timer", "add", "Hi.", "--agent", "echo", "--at", AT, "--id", "t", **system)
    assert (done.returncode, done.stdout, done.stderr) == (0, "t\n", "")


def test_the_same_timer_is_the_same_and_another_one_replaces_it_if_asked(add, refuse):
    first = add("--cron", "@daily", "--id", "t")
    assert add("--cron", "@daily", "--id", "t") == first
    other = ("--agent", "echo", "--cron", "@hourly", "--id", "t")
    assert "timer.exists: there is a timer 't' already" in refuse("add", "Look at {{date}}.", *other)
    assert add("--cron", "@hourly", "--id", "t", "--replace")["cron"] == "@hourly"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "say when it fires by exactly one of --at, --after, --every, --cron; 0 were given"),
        (("--after", "5m", "--cron", "@daily"), "--cron; 2 were given"),
        (("--after", "soon"), "input.invalid: --after: 'soon' is no span of time. Write --after 90s, 10m"),
        (("--at", "2099-01-31T09:00"), "--at: '2099-01-31T09:00' has no offset from UTC"),
        (("--at", "2001-01-31T09:00Z"), "timer.schedule_invalid: at=2001-01-31T09:00:00+00:00 lies in the"),
        (("--at", "tomorrow"), "--at: 'tomorrow' is no instant of ISO 8601. Write --at 2030-01-31T09:00+01"),
        (("--every", "1h", "--session", "s"), "whom it wakes by exactly one of --session, --agent; 2 were"),
        (("--every", "0s"), "timer.schedule_invalid"),
        (("--cron", "61 * * * *"), "timer.schedule_invalid"),
        (("--cron", "@daily", "--tz", "Europe/Berln"), "Did you mean 'Europe/Berlin'"),
        (("--cron", "@daily", "--dst", "never"), "skip"),
        (("--cron", "@daily", "--max-fires", "0"), "max_fires is a number from 1"),
        (("--cron", "@daily", "--metadata", "x"), "KEY=TEXT"),
        (("--cron", "@daily", "--overlap", "steer"), "nothing to steer into"),
    ],
)
def test_what_cannot_be_scheduled_is_refused_in_words(refuse, options, said):
    assert said in refuse("add", "Hi.", "--agent", "echo", *options)


def test_an_unknown_session_or_timer_is_refused(refuse):
    assert "session.not_found" in refuse("add", "Hi.", "--session", "nowhere", "--after", "1h")
    for command in ("show", "firings", "preview", "pause", "resume", "trigger", "cancel"):
        assert "timer.not_found: there is no timer 'nothing'" in refuse(command, "nothing")
    assert "timer.not_found" in refuse("postpone", "nothing", "--by", "1h")


def test_timers_are_listed_by_session_agent_and_state(run, add):
    run("session", "new", "other", "--id", "s")
    add("--cron", "@daily", "--id", "a")
    add("--cron", "@daily", "--id", "b", whose=("--session", "s"))
    add("--cron", "@daily", "--id", "c", "--disarmed")
    add("--cron", "@daily", "--id", "d")
    run("timer", "cancel", "d")

    def ids(*options):
        return [row["id"] for row in run("timer", "list", *options)]

    assert ids() == ["d", "c", "b", "a"]
    assert (ids("--session", "s"), ids("--agent", "other")) == (["b"], ["b"])
    assert ids("--status", "paused", "--status", "cancelled") == ["d", "c"]
    assert ids("--agent", "echo", "--limit", "2") == ["d", "c"]
    assert all(row.keys() == KEYS for row in run("timer", "list"))


def test_people_read_the_times_of_a_timer_in_its_zone(run, add, powerloop, system):
    assert "No timers." in powerloop("timer", "list", **system).stdout
    add("--cron", "0 9 * * *", "--tz", "Europe/Berlin", "--start", AT, "--jitter", "90s", "--id", "t")
    listed = powerloop("timer", "list", **system).stdout
    assert "cron 0 9 * * * Europe/Berlin" in listed
    assert "2099-01-31 09:0" in listed
    run("timer", "trigger", "t")
    shown = powerloop("timer", "show", "t", **system).stdout
    for cell in ("a fresh one per tick", "1m30s", "2099-01-31 09:00:00 CET", "Sat 2099-01-31 08:00:00 UTC"):
        assert cell in shown
    assert "fired" in shown.partition("last ticks")[2]


def test_a_timer_is_shown_with_its_next_ticks_and_its_last_ones(run, add):
    add("--cron", "0 9 * * *", "--tz", "Europe/Berlin", "--start", AT, "--id", "t", "--max-fires", "10")
    sent = [run("timer", "trigger", "t")[0] for _ in range(6)]
    [shown] = run("timer", "show", "t")
    assert shown.keys() == KEYS | {"next", "firings"}
    assert (shown["fires"], shown["last_send_id"]) == (6, sent[-1]["id"])
    assert len(shown["next"]) == 4
    assert shown["next"][0] == {"tick_at": AT_UTC, "local": AT}
    assert [one["send_id"] for one in shown["firings"]] == [one["id"] for one in sent[:0:-1]]


def test_what_became_of_ticks_is_listed(run, add, powerloop, system):
    add("--cron", "@daily", "--id", "t")
    assert "No tick yet." in powerloop("timer", "firings", "t", **system).stdout
    first, second = (run("timer", "trigger", "t")[0] for _ in range(2))
    latest, earliest = run("timer", "firings", "t")
    assert latest.keys() == {"timer_id", "tick_at", "outcome", "number", "send_id", "detail", "at"}
    assert (earliest["number"], earliest["send_id"], earliest["outcome"]) == (1, first["id"], "fired")
    assert timedelta(0) <= ago(latest["tick_at"]) < timedelta(minutes=1)
    assert run("timer", "firings", "t", "--limit", "1") == [latest]
    assert second["id"] in powerloop("timer", "firings", "t", **system).stdout


def test_the_next_ticks_of_a_timer_are_previewed(run, add, powerloop, system):
    add("--cron", "30 2 * * *", "--tz", "Europe/Berlin", "--start", "2099-03-28T00:00Z", "--id", "t")
    ticks = run("timer", "preview", "t", "--count", "2")
    assert ticks == [
        {"tick_at": "2099-03-28T01:30:00+00:00", "local": "2099-03-28T02:30:00+01:00"},
        {"tick_at": "2099-03-29T01:00:00+00:00", "local": "2099-03-29T03:00:00+02:00"},
    ]
    run("timer", "postpone", "t", "--by", "1h30m")
    said = powerloop("timer", "preview", "t", **system).stdout
    assert said.splitlines()[0].split() == ["Europe/Berlin", "UTC"]
    assert "Sun 2099-03-29 03:00:00 CEST" in said
    assert "it fires at 2099-03-28 04:00:00 CET" in said
    run("timer", "pause", "t")
    assert "until it is resumed" in powerloop("timer", "preview", "t", **system).stdout


@pytest.mark.parametrize(
    ("dst", "spring", "autumn"),
    [
        ("skip", [], ["02:30:00+02:00"]),
        ("once", ["03:00:00+02:00"], ["02:30:00+02:00"]),
        ("twice", ["03:00:00+02:00"], ["02:30:00+02:00", "02:30:00+01:00"]),
    ],
)
def test_a_schedule_is_previewed_without_a_system(powerloop, dst, spring, autumn):
    def on(day):
        bounds = ("--start", f"{day}T00:00Z", "--end", f"{day}T12:00Z", "--tz", "Europe/Berlin")
        done = powerloop("timer", "preview", "--cron", "30 2 * * *", *bounds, "--dst", dst, "--json")
        assert done.returncode == 0, done.stderr
        ticks = [json.loads(line)["local"] for line in done.stdout.splitlines()]
        return [tick.removeprefix(f"{day}T") for tick in ticks]

    assert (on("2099-03-29"), on("2099-10-25")) == (spring, autumn)


def test_a_preview_is_of_one_thing(refuse, powerloop):
    assert "exactly one of TIMER, --cron, --every; 0 were given" in refuse("preview")
    assert "2 were given" in refuse("preview", "t", "--cron", "@daily")
    assert "go with --cron and --every" in refuse("preview", "t", "--tz", "Europe/Berlin")
    assert "timer.schedule_invalid" in refuse("preview", "--cron", "@dayly")
    past = powerloop("timer", "preview", "--cron", "@daily", "--end", "2001-01-01T00:00Z")
    assert (past.returncode, past.stdout) == (0, "There is no further tick.\n")
    every = powerloop("timer", "preview", "--every", "1d", "--start", AT, "--count", "1").stdout
    assert every.splitlines()[1:] == ["Sat 2099-01-31 08:00:00 UTC"]


def test_a_timer_is_paused_and_resumed(run, add, powerloop, system):
    add("--cron", "@daily", "--id", "t")
    [paused] = run("timer", "pause", "t", "--reason", "holidays")
    assert (paused["status"], paused["reason"]) == ("paused", "holidays")
    [resumed] = run("timer", "resume", "t")
    assert (resumed["status"], resumed["reason"]) == ("armed", "")
    assert "powerloop timer resume t" in powerloop("timer", "pause", "t", **system).stdout
    assert "t is armed; it fires next at " in powerloop("timer", "resume", "t", **system).stdout


def test_the_next_tick_is_postponed(run, add, refuse, powerloop, system):
    add("--cron", "0 9 * * *", "--tz", "Europe/Berlin", "--start", AT, "--id", "t")
    [later] = run("timer", "postpone", "t", "--by", "1h30m")
    assert (later["tick_at"], later["due_at"]) == (AT_UTC, "2099-01-31T09:30:00+00:00")
    said = powerloop("timer", "postpone", "t", "--until", "2099-01-31T12:00Z", **system).stdout
    assert said == "t is armed; it fires next at 2099-01-31 13:00:00 CET.\n"
    assert "by exactly one of --by, --until; 0 were given" in refuse("postpone", "t")
    assert "--by: '-5m' is no span" in refuse("postpone", "t", "--by", "-5m")
    assert "has no offset" in refuse("postpone", "t", "--until", "2099-01-31T12:00")
    run("timer", "pause", "t")
    said = powerloop("timer", "postpone", "t", "--by", "1h", **system).stdout
    assert said == "t is paused; its next tick is due 2099-01-31 14:00:00 CET.\n"


def test_a_timer_is_triggered(run, add, powerloop, system):
    run("session", "new", "echo", "--id", "s")
    add("--cron", "@daily", "--id", "t", "--disarmed", "--metadata", "team=ops", whose=("--session", "s"))
    [sent] = run("timer", "trigger", "t")
    assert sent.keys() == {"id", "timer_id", "session_id", "status"}
    [shown] = run("sends", "show", sent["id"])
    assert {"timer_id": "t", "timer_tick": 1, "team": "ops"}.items() <= shown["metadata"].items()
    assert (shown["session_id"], shown["input"][0]["text"][:9]) == ("s", "Look at 2")
    told = powerloop("timer", "trigger", "t", **system).stdout.strip()
    assert [row["id"] for row in run("sends", "list", "--session", "s")] == [told, sent["id"]]


def test_a_send_that_is_triggered_is_followed_to_its_end(run, add, system, tmp_path, eventually_blocking):
    add("--cron", "@daily", "--id", "t")
    follow = [sys.executable, "-m", "powerloop", "timer", "trigger", "t", "--follow", "--json"]
    process = subprocess.Popen(
        follow, env={**os.environ, **system}, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    with redis.Redis.from_url(system["POWERLOOP_REDIS_URL"]) as client:
        eventually_blocking(
            lambda: any(one["cmd"] == "xread" for one in client.client_list()), "it follows", within=20
        )
    [send] = run("sends", "list")
    run("cancel", send["id"])
    output, _ = process.communicate(timeout=20)
    ended = json.loads(output.splitlines()[-1])
    assert (process.returncode, ended["id"], ended["status"]) == (1, send["id"], "cancelled")


def test_a_timer_is_cancelled_for_good(run, add, refuse, powerloop, system):
    add("--cron", "@daily", "--id", "t")
    [cancelled] = run("timer", "cancel", "t", "--reason", "asked twice")
    assert (cancelled["status"], cancelled["reason"]) == ("cancelled", "asked twice")
    assert cancelled["tick_at"] is None
    assert powerloop("timer", "cancel", "t", **system).stdout == "t is cancelled.\n"
    for command in ("pause", "resume", "trigger"):
        assert "timer.ended" in refuse(command, "t")
    assert "timer.ended" in refuse("postpone", "t", "--by", "1h")
    [shown] = run("timer", "show", "t")
    assert (shown["next"], run("timer", "preview", "t")) == ([], [])


def test_a_timer_that_is_done_stays_so(run, add, powerloop, system):
    add("--cron", "@daily", "--id", "t", "--max-fires", "1")
    run("timer", "trigger", "t")
    assert run("timer", "show", "t")[0]["status"] == "done"
    assert powerloop("timer", "cancel", "t", **system).stdout == "t was done; nothing changes.\n"
