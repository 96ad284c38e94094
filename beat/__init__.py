"""The process that fires timers, brings back what was lost, and keeps house. Any number may run.

``celery beat -S powerloop.beat:TimerScheduler`` and ``powerloop beat`` run the same.
"""

from .scheduler import TimerScheduler

__all__ = ["TimerScheduler"]
