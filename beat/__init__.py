"""The process of recovery: it finds what nobody drives, and makes it ready again. Any number may run."""
