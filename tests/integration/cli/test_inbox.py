"""``powerloop inbox``: questions of every kind are listed, shown and answered."""

from datetime import datetime, timedelta

import pytest

from powerloop.kernel.interactions import InteractionKind

pytestmark = pytest.mark.integration

INPUT, APPROVAL, IN_DOUBT = InteractionKind.INPUT, InteractionKind.APPROVAL, InteractionKind.IN_DOUBT
PAY = {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}


def test_the_list_shows_what_is_asked_of_whom_by_when_and_since_when(run, asks, powerloop, system):
    asked = asks(INPUT, prompt="Which size?", choices=("S", "M"), within=timedelta(hours=2), default="M")
    [row] = run("inbox", "list")
    assert (row["id"], row["kind"], row["prompt"], row["choices"]) == (
        asked.id,
        "input",
        "Which size?",
        ["S", "M"],
    )
    assert (row["default"], row["schema"], row["answer"]) == ("M", None, None)
    assert datetime.fromisoformat(row["expires_at"]) == asked.expires_at
    assert row["age"] >= 0
    shown = powerloop("inbox", "list", **system).stdout
    deadline = asked.expires_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    for cell in (asked.id, "input", "Which size?", '["S", "M"]', deadline, "0:00:"):
        assert cell in shown


def test_the_list_is_filtered_by_kind_session_and_send(run, asks):
    asked = asks(APPROVAL)
    fitting = ("--kind", "approval", "--session", "s", "--send", "x", "--status", "open")
    assert [row["id"] for row in run("inbox", "list", *fitting)] == [asked.id]
    for option in (("--kind", "input"), ("--status", "expired")):
        assert run("inbox", "list", *option) == []


@pytest.mark.parametrize(("typed", "answer"), [('{"size": "S"}', {"size": "S"}), ("on Monday", "on Monday")])
def test_a_value_is_json_or_text(run, asks, typed, answer):
    asked = asks(INPUT)
    [answered] = run("inbox", "answer", asked.id, "--value", typed, "--actor", "ada")
    assert (answered["status"], answered["answer"], answered["actor"]) == ("answered", answer, "ada")


def test_a_value_that_does_not_fit_is_refused_with_every_problem(asks, powerloop, system):
    asked = asks(INPUT, schema={**PAY, "required": ["amount", "to"]})
    refused = powerloop("inbox", "answer", asked.id, "--value", '{"amount": "much"}', **system)
    assert refused.returncode == 2
    said = " ".join(refused.stderr.split())
    assert "input.invalid: the answer does not fit" in said
    assert "to is missing" in said
    assert 'amount should be of type integer, not "much"' in said


def test_a_call_is_approved(run, asks):
    asked = asks(APPROVAL, schema=PAY)
    [answered] = run("inbox", "answer", asked.id, "--approve")
    assert answered["answer"] == {"action": "approve"}


def test_a_call_is_approved_with_other_arguments_which_must_fit(run, asks, powerloop, system):
    asked = asks(APPROVAL, schema=PAY)
    for wrong, said in (('{"amount": "x"}', "integer"), ("{amount", "not JSON")):
        refused = powerloop("inbox", "answer", asked.id, "--edit", wrong, **system)
        assert (refused.returncode, said in refused.stderr) == (2, True)
    [answered] = run("inbox", "answer", asked.id, "--edit", '{"amount": 1}')
    assert answered["answer"] == {"action": "edit", "arguments": {"amount": 1}}
    assert answered["arguments"] == {"amount": 3}


def test_a_call_is_denied_for_a_reason(run, asks):
    asked = asks(APPROVAL)
    [answered] = run("inbox", "answer", asked.id, "--deny", "--reason", "Too much.")
    assert answered["answer"] == {"action": "deny", "reason": "Too much."}


def test_a_second_answer_is_told_who_was_faster(run, asks, powerloop, system):
    asked = asks(APPROVAL)
    first = powerloop("inbox", "answer", asked.id, "--approve", "--actor", "ada", **system)
    assert f"{asked.id} is answered; send x goes on" in first.stdout
    second = powerloop("inbox", "answer", asked.id, "--deny", **system)
    assert second.returncode == 2
    assert "interaction.closed: " in second.stderr
    assert "answered by 'ada' at " in " ".join(second.stderr.split())


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (INPUT, ["--approve"], "Answer it with --value."),
        (APPROVAL, ["--done", "x"], "Answer it with --approve or --edit or --deny."),
        (IN_DOUBT, ["--deny"], "Answer it with --done or --run or --give-up."),
        (APPROVAL, ["--approve", "--reason", "x"], "--reason goes with --deny."),
    ],
    ids=str,
)
def test_options_that_do_not_answer_the_question_are_refused(asks, powerloop, system, kind, options, said):
    refused = powerloop("inbox", "answer", asks(kind).id, *options, **system)
    assert refused.returncode == 2
    assert said in " ".join(refused.stderr.split())
