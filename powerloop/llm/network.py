"""How the providers' clients use the network. Imported only where an SDK is, for it needs their `httpx2`."""

import json
from collections.abc import Mapping
from typing import Any

import httpx2

#: A worker process holds a thousand calls at once, each on a connection of its own. Rounds of an agent lie
#: seconds apart: a connection that is kept saves each round a TLS handshake.
CONNECTIONS = httpx2.Limits(max_connections=2000, max_keepalive_connections=500, keepalive_expiry=30)

#: Only connecting is bounded here. How long an answer may take is the request's deadline.
TIMEOUT = httpx2.Timeout(None, connect=10)


def encoded(body: Mapping[str, Any]) -> bytes:
    """The body as JSON. Half a surrogate pair, which no provider takes, becomes a question mark."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
