"""The history of the schema: Alembic revisions in `versions`, run by `powerloop.store.migrate`.

Each revision's `upgrade` is given its `Operations`: Alembic's ambient ``op`` is one per process, which may
migrate two databases at a time. A revision imports nothing of ours, so that it stays true when we change.
"""
