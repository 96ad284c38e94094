"""What the providers' clients must be told: keys and addresses."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from powerloop.kernel.errors import SettingsInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """Keys and addresses of the providers. An empty string: not given.

    Raises:
        SettingsInvalid: an address does not begin with ``http://`` or ``https://``.
    """

    #: ``OPENAI_API_KEY``. A server of your own, named by `openai_base_url`, may need none.
    openai_api_key: str = field(default="", repr=False)
    #: ``OPENAI_BASE_URL``: any server that speaks OpenAI's chat completions, ``/v1`` included.
    openai_base_url: str = ""
    #: ``ANTHROPIC_API_KEY``. A server of your own, named by `anthropic_base_url`, may need none.
    anthropic_api_key: str = field(default="", repr=False)
    #: ``ANTHROPIC_BASE_URL``: any server that speaks Anthropic's messages, without ``/v1``.
    anthropic_base_url: str = ""

    def __post_init__(self) -> None:
        for name, url in (
            ("OPENAI_BASE_URL", self.openai_base_url),
            ("ANTHROPIC_BASE_URL", self.anthropic_base_url),
        ):
            if url and not url.startswith(("http://", "https://")):
                raise SettingsInvalid(f"{name} is {url!r}: an address begins with http:// or https://.")

    @staticmethod
    def from_environ(environ: Mapping[str, str]) -> "ProviderSettings":
        """The settings that `environ` holds under the names that the providers' own SDKs use."""
        return ProviderSettings(
            openai_api_key=environ.get("OPENAI_API_KEY", "").strip(),
            openai_base_url=environ.get("OPENAI_BASE_URL", "").strip(),
            anthropic_api_key=environ.get("ANTHROPIC_API_KEY", "").strip(),
            anthropic_base_url=environ.get("ANTHROPIC_BASE_URL", "").strip(),
        )
