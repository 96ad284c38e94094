"""How a process is pointed at a wire server."""

from collections.abc import Mapping


def environ_of(url: str) -> Mapping[str, str]:
    """The environment variables that make the server at `url` the provider of every model."""
    return {
        "OPENAI_API_KEY": "wire",
        "OPENAI_BASE_URL": f"{url}/v1",
        "ANTHROPIC_API_KEY": "wire",
        "ANTHROPIC_BASE_URL": url,
    }
