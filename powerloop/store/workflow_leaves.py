"""Starting leaves: the sessions and sends of many at once."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import insert, null

from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import NewSend, Send
from powerloop.kernel.sessions import SessionStatus
from powerloop.kernel.suspension import NewChild
from powerloop.store.acceptance import SENDS
from powerloop.store.columns import now
from powerloop.store.database import Run
from powerloop.store.inputs import checked_send, checked_session
from powerloop.store.portable.acceptance import new_send_row
from powerloop.store.rows import lineage_row, origin_row, send_of
from powerloop.store.schema import sends, sessions

#: Rows of one statement: each has thirty values, and Postgres takes 65,535.
CHUNK: Final = 200


async def start_leaves(run: Run, leaves: Sequence[NewChild]) -> list[Send]:
    """Write the sessions and sends; the sends, which are the heads of their sessions."""
    started: list[Send] = []
    for some in _chunks(leaves):
        await run(insert(sessions).values([_session_row(leaf) for leaf in some]))
        await run(insert(sends).values([_send_row(leaf) for leaf in some]))
        ids = [leaf.send_id for leaf in some]
        rows = {row["id"]: row for row in await run(SENDS.where(sends.c.id.in_(ids)))}
        started += [send_of(rows[send_id]) for send_id in ids]
    return started


def _chunks(leaves: Sequence[NewChild]) -> list[Sequence[NewChild]]:
    return [leaves[start : start + CHUNK] for start in range(0, len(leaves), CHUNK)]


def _session_row(leaf: NewChild) -> dict[str, Any]:
    new = checked_session(leaf.session)
    return {
        "id": new.id,
        "agent": new.agent,
        "status": SessionStatus.OPEN.value,
        "metadata": new.metadata,
        "epoch": 0,
        "seq": 0,
        "accepted": 1,
        "finished": 0,
        "created_at": now(),
        "updated_at": now(),
        "policy": new.policy.value,
        "steering": 0,
        "spec": null(),
        **origin_row(new.origin),
    }


def _send_row(leaf: NewChild) -> dict[str, Any]:
    new = checked_send(
        NewSend(
            id=leaf.send_id,
            session_id=leaf.session.id,
            content=leaf.content,
            policy=Policy.ENQUEUE,
            priority=leaf.priority,
            metadata=leaf.metadata,
        )
    )
    return new_send_row(new, Policy.ENQUEUE, 1, is_head=True) | lineage_row(leaf.lineage)
