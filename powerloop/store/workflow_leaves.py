"""Starting leaves: the sessions and sends of many at once."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import insert

from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import NewSend, Send
from powerloop.kernel.sessions import SessionStatus
from powerloop.kernel.suspension import NewChild
from powerloop.store.columns import now
from powerloop.store.database import Run
from powerloop.store.encoding import encode
from powerloop.store.inputs import checked_send, checked_session
from powerloop.store.portable.acceptance import new_send_row
from powerloop.store.rows import lineage_row, origin_row, send_of
from powerloop.store.schema import sends, sessions

#: The same of each: what the databases' clocks tell, and what a leaf begins with.
_NEW_SESSION: Final = insert(sessions).values(created_at=now(), updated_at=now())
_NEW_SEND: Final = insert(sends).values(created_at=now(), dispatched_at=now())


async def start_leaves(run: Run, leaves: Sequence[NewChild]) -> list[Send]:
    """Write the sessions and sends; the sends, which are the heads of their sessions."""
    plain = [leaf for leaf in leaves if _spec(leaf) is None]
    varied = [leaf for leaf in leaves if _spec(leaf) is not None]
    for some in (plain, varied):
        # Those with a spec have a column more.
        if some:
            await run(_NEW_SESSION, [_session_row(leaf) for leaf in some])
    if not leaves:
        return []
    rows = {
        row["id"]: row for row in await run(_NEW_SEND.returning(sends), [_send_row(leaf) for leaf in leaves])
    }
    return [_send_of(leaf, rows[leaf.send_id]) for leaf in leaves]


def _spec(leaf: NewChild) -> Any:  # noqa: ANN401 - any JSON
    return leaf.session.origin.spec if leaf.session.origin else None


def _send_of(leaf: NewChild, row: Any) -> Send:  # noqa: ANN401 - a row
    spec = _spec(leaf)
    return send_of({**row, "agent": leaf.session.agent, "spec": None if spec is None else encode(spec)})


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
        "policy": new.policy.value,
        "steering": 0,
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
    row = new_send_row(new, Policy.ENQUEUE, 1, is_head=True) | lineage_row(leaf.lineage)
    return {name: value for name, value in row.items() if name not in ("created_at", "dispatched_at")}
