"""`--policy`, of sessions and of sends."""

import pytest

pytestmark = pytest.mark.integration


def test_a_send_has_the_policy_of_its_session_or_its_own(run):
    [session] = run("session", "new", "echo", "--id", "s", "--policy", "steer")
    assert session["policy"] == "steer"
    ids = [run("send", "s", "hello", *options)[0]["id"] for options in ((), ("--policy", "interrupt"))]
    assert [run("sends", "show", send_id)[0]["policy"] for send_id in ids] == ["steer", "interrupt"]


def test_a_busy_session_refuses_what_will_not_wait(run, powerloop, system):
    run("session", "new", "echo", "--id", "s")
    run("send", "s", "hello")
    refused = powerloop("send", "s", "hello", "--policy", "reject", **system)
    assert refused.returncode == 2
    assert "session.busy" in refused.stderr


def test_a_policy_that_does_not_exist_is_refused(powerloop, system):
    refused = powerloop("send", "s", "hello", "--policy", "later", **system)
    assert refused.returncode == 2
    assert "rollback" in refused.stderr
