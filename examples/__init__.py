"""Agents to begin with."""
