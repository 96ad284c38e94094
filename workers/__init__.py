"""The worker process: pool, wiring, tasks, lifecycle."""
