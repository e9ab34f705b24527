"""Who speaks which dialect, and in which accent: one entry per vendor or server.

Facts only, no I/O. Quirks are what a server refuses or lacks, each with the reason beside it.
"""

from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

Dialect = Literal["openai", "responses", "anthropic"]
"""Chat Completions, Responses, or Messages."""


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A vendor or server. `limit`, `seed` and `stream_options` are of the dialect "openai" only, which a server that
    speaks "responses" has too.

    `key_envs` are the environment variables that may hold its key, the usual one first. `models` are the ones a
    panel is offered when nobody chose. `prices` is the vendor's name in the price list, `start` a command.
    `call_extra` goes with every tool call that is told again. `images`: its current models take pictures; where some do
    and some do not, the configuration says so.
    """

    name: str
    title: str
    base_url: str
    dialect: Dialect = "openai"
    key_envs: tuple[str, ...] = ()
    destination: str = ""
    models: tuple[str, ...] = ()
    prices: str = ""
    start: str = ""
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    seed: Literal["seed", "random_seed"] = "seed"
    stream_options: dict[str, bool] = msgspec.field(default_factory=lambda: {"include_usage": True})
    call_extra: dict[str, Any] = {}
    images: bool = False

    @property
    def local(self) -> bool:
        """Whether the server is this machine, so that no text leaves it."""
        return is_loopback(self.base_url)

    @property
    def seen_by(self) -> str:
        """Who sees the text, for people."""
        return "this machine" if self.local else self.destination

    @property
    def host(self) -> str:
        """Scheme, host and port: what a person recognises of the address. Never its credentials or query."""
        parts = urlsplit(self.base_url)
        name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{name}" + (f":{parts.port}" if parts.port else "")


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine and cannot name another. `0.0.0.0` and LAN addresses do not count."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")  # RFC 6761, section 6.3


_ALL = (
    Preset(
        name="anthropic",
        images=True,
        title="Anthropic",
        base_url="https://api.anthropic.com",
        dialect="anthropic",
        key_envs=("ANTHROPIC_API_KEY",),
        destination="Anthropic",
        models=("claude-sonnet-5-5", "claude-opus-5-5"),
        prices="anthropic",
    ),
    Preset(
        name="openai",
        images=True,
        title="OpenAI",
        base_url="https://api.openai.com/v1",
        dialect="responses",
        key_envs=("OPENAI_API_KEY",),
        destination="OpenAI",
        models=("gpt-5.4-mini", "gpt-5.4"),
        prices="openai",
        limit="max_completion_tokens",  # reasoning models refuse max_tokens
        stream_options={"include_usage": True, "include_obfuscation": False},  # obfuscation pads every chunk
    ),
    Preset(
        name="gemini",
        images=True,
        title="Gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key_envs=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        destination="Google",
        models=("gemini-3.5-flash", "gemini-2.5-flash"),
        prices="google",
        # Gemini 3 answers 400 to a call that comes back without the signature of its thoughts, which Chat Completions
        # has no member for. This word lets one pass: https://ai.google.dev/gemini-api/docs/thought-signatures
        call_extra={"extra_content": {"google": {"thought_signature": "skip_thought_signature_validator"}}},
    ),
    Preset(
        name="mistral",
        title="Mistral",
        base_url="https://api.mistral.ai/v1",
        key_envs=("MISTRAL_API_KEY",),
        destination="Mistral AI",
        models=("mistral-medium-latest", "mistral-small-latest"),
        prices="mistral",
        # 422 for any field it does not know; usage comes without being asked for.
        stream_options={},
        seed="random_seed",
    ),
    Preset(
        name="xai",
        images=True,
        title="xAI",
        base_url="https://api.x.ai/v1",
        key_envs=("XAI_API_KEY",),
        destination="xAI",
        models=("grok-4.3",),
        prices="x-ai",
        limit="max_completion_tokens",
    ),
    Preset(
        name="deepseek",
        title="DeepSeek",
        base_url="https://api.deepseek.com/v1",
        key_envs=("DEEPSEEK_API_KEY",),
        destination="DeepSeek",
        models=("deepseek-chat",),
        prices="deepseek",
    ),
    Preset(
        name="groq",
        title="Groq",
        base_url="https://api.groq.com/openai/v1",
        key_envs=("GROQ_API_KEY",),
        destination="Groq",
        models=("openai/gpt-oss-120b", "llama-3.3-70b-versatile"),
        prices="groq",
        limit="max_completion_tokens",
    ),
    Preset(
        name="openrouter",
        images=True,
        title="OpenRouter",
        base_url="https://openrouter.ai/api/v1",
        key_envs=("OPENROUTER_API_KEY",),
        destination="OpenRouter and the vendor it routes to",
        models=("google/gemini-3.5-flash", "deepseek/deepseek-v3.2", "meta-llama/llama-3.3-70b-instruct"),
        prices="openrouter",
    ),
    # Ollama drops the beginning of a prompt longer than its context and says nothing; this dialect has no field
    # for num_ctx, so it is set where the server starts (OLLAMA_CONTEXT_LENGTH).
    Preset(name="ollama", title="Ollama", base_url="http://127.0.0.1:11434/v1", start="ollama serve"),
    Preset(name="lmstudio", title="LM Studio", base_url="http://127.0.0.1:1234/v1", start="lms server start"),
    Preset(
        name="vllm",
        title="vLLM",
        base_url="http://127.0.0.1:8000/v1",
        key_envs=("VLLM_API_KEY",),
        start="vllm serve MODEL",
    ),
    Preset(
        name="llama-server",
        title="llama.cpp's server",
        base_url="http://127.0.0.1:8080/v1",
        key_envs=("LLAMA_API_KEY",),
        start="llama-server -m FILE.gguf",
    ),
)

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _ALL}
"""By name, in the order in which a panel is filled."""
