"""Ways to break each promise about timers, behind the back of the store."""

_SECOND = (
    "(SELECT max(id) FROM sends WHERE idempotency_key >= 'timer:fresh:' AND idempotency_key < 'timer:fresh;')"
)
_FIRST = (
    "(SELECT min(id) FROM sends WHERE idempotency_key >= 'timer:fresh:' AND idempotency_key < 'timer:fresh;')"
)

#: As `PLANTED`: for each check, what breaks the promise, and what a row of the report must say.
PLANTED_TIMERS = [
    (
        "ticks",
        (
            "UPDATE sends SET idempotency_key = "
            f"(SELECT k.idempotency_key FROM sends AS k WHERE k.id = {_FIRST}) WHERE id = {_SECOND}"
        ),
        {"sends": 2},
    ),
    (
        "firings",
        "DELETE FROM timer_firings WHERE timer_id = 'fresh' AND number = 2",
        {"timer": "fresh", "what": "no tick"},
    ),
    (
        "firings",
        f"UPDATE sends SET idempotency_key = 'other' WHERE id = {_SECOND}",
        {"timer": "fresh", "what": "another key"},
    ),
    ("timers", "UPDATE timers SET fires = 1 WHERE id = 'fresh'", {"timer": "fresh", "what": "counts"}),
    (
        "timers",
        "UPDATE timers SET last_send_id = 'other' WHERE id = 'once'",
        {"timer": "once", "what": "last send"},
    ),
    (
        "timers",
        "DELETE FROM timer_firings WHERE timer_id = 'often' AND outcome = 'held'",
        {"timer": "often", "what": "held back"},
    ),
    (
        "timers",
        "UPDATE sessions SET status = 'closed' WHERE id = 'timed-idle'",
        {"timer": "idle", "status": "paused", "what": "session closed"},
    ),
    (
        "timers_fired",
        "UPDATE timers SET due_at = '2000-01-01' WHERE id = 'fresh'",
        {"timer": "fresh", "asked_at": None},
    ),
    (
        "timers_fired",
        "UPDATE timers SET held_at = '2000-01-01', last_send_id = 'none' WHERE id = 'often'",
        {"timer": "often"},
    ),
]
