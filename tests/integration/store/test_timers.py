"""Timers on Postgres beside others that hold locks, and rows that this release cannot read."""

import asyncio

import psycopg
import pytest

from powerloop.kernel.timers import Overlap
from tests.conformance.store.ticking import TIMETABLE, hourly, made, plan

pytestmark = pytest.mark.integration


async def test_a_row_that_a_later_release_wrote_stands_in_nobodys_way(migrated_postgres_url, bench):
    strange = await made(bench, agent="a", plan_=plan(schedule=hourly()))
    good = await made(bench, agent="a", plan_=plan(schedule=hourly()))
    with psycopg.connect(migrated_postgres_url, autocommit=True) as connection:
        other = '{"overlap": "unheard_of"}'
        connection.execute(
            "UPDATE powerloop.timers SET plan = plan || %s::jsonb WHERE id = %s", [other, strange.id]
        )
    fired = await bench.store.timers.fire(TIMETABLE, 10)
    assert [send.metadata["timer_id"] for send in fired.ready] == [good.id]
    assert [timer.id for timer in await bench.store.timers.list()] == [good.id]


async def test_a_beat_waits_for_nobody_who_holds_the_session_of_a_send_that_is_to_end(
    migrated_postgres_url, bench
):
    cutting = await made(bench, agent="a", plan_=plan(schedule=hourly(), overlap=Overlap.CANCEL_OTHER))
    (before,) = (await bench.store.timers.fire(TIMETABLE, 10)).ready
    other = await made(bench, agent="a", plan_=plan(schedule=hourly()))
    with psycopg.connect(migrated_postgres_url) as connection:
        connection.execute("SELECT id FROM powerloop.sessions WHERE id = %s FOR UPDATE", [before.session_id])
        async with asyncio.timeout(10):
            fired = await bench.store.timers.fire(TIMETABLE, 10)
        assert [send.metadata["timer_id"] for send in fired.ready] == [other.id]
    fired = await bench.store.timers.fire(TIMETABLE, 10)
    assert {send.metadata["timer_id"] for send in fired.ready} == {cutting.id, other.id}
