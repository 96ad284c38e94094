"""The tool by which a model waits for a time, and tools that sleep."""

from datetime import UTC, datetime, timedelta

import pytest

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.errors import InvalidInput
from powerloop.tools import Sleep, sleep, tool

LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)


async def test_a_model_waits_for_some_seconds(run):
    assert (await run(sleep(), {"seconds": 90})).wait == Sleep(lasts=timedelta(seconds=90))


async def test_a_model_waits_until_an_instant(run):
    assert (await run(sleep(), {"until": LATER.isoformat()})).wait == Sleep(until=LATER)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "either seconds or until"),
        ({"seconds": 1, "until": LATER.isoformat()}, "either seconds or until"),
        ({"seconds": 0}, "seconds"),
        ({"seconds": 86_401}, "86400 seconds at most"),
        ({"seconds": 1e300}, "86400 seconds at most"),
        ({"until": LATER.isoformat()}, "86400 seconds at most"),
        ({"until": "2026-01-01T09:00:00"}, "until"),
        ({"until": "tomorrow"}, "until"),
    ],
)
async def test_a_model_is_told_how_it_may_wait(run, arguments, told):
    outcome = await run(sleep(longest=timedelta(days=1)), arguments)
    assert outcome.status is CallStatus.FAILED
    assert told in outcome.text


@pytest.mark.parametrize("longest", [timedelta(0), timedelta(days=3651)])
def test_a_longest_wait_that_is_none_is_refused(longest):
    with pytest.raises(InvalidInput, match="longest"):
        sleep(longest=longest)


@pytest.mark.parametrize(
    ("nap", "told"),
    [
        (Sleep(), "either for a span of time or until an instant"),
        (Sleep(lasts=timedelta(1), until=LATER), "either for a span of time or until an instant"),
        (Sleep(lasts=timedelta(0)), "no span of time"),
        (Sleep(lasts=timedelta(days=4000)), "no span of time"),
        (Sleep(until=LATER.replace(tzinfo=None)), "in which time zone"),
        (Sleep(until=datetime.max.replace(tzinfo=UTC)), "days away"),
    ],
)
async def test_a_tool_that_sleeps_in_a_way_that_cannot_be_is_told_so(run, nap, told):
    @tool(effect="read")
    def snooze() -> Sleep:
        return nap

    outcome = await run(snooze, {})
    assert outcome.status is CallStatus.FAILED
    assert told in outcome.text
