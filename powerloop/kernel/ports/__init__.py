"""The seams of powerloop: what the kernel asks of a store, a queue, a model.

Behaviour is documented here, once.
"""
