"""Nouns, states, edges, decisions, the executor of a send, and ports. Standard library only, no I/O."""
