"""Workflows: their specification, and what may run next."""
