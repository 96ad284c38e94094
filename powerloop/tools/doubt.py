"""What to tell a model about the effects of a call that did not end well."""

from powerloop.kernel.calls import Effect

_HINTS = {
    Effect.READ: "It changes nothing, so it can be called again.",
    Effect.IDEMPOTENT: "It can be called again with the same arguments.",
    Effect.KEYED: "It may have taken effect all the same: find out before you repeat it.",
    Effect.ONCE: "It may have taken effect all the same: find out before you repeat it.",
}


def doubt_about(effect: Effect) -> str:
    """What the model has to know before it calls the tool again. A new call has a new idempotency key."""
    return _HINTS[effect]
