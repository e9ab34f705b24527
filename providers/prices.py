"""What a turn cost, by list price, and how much a model holds.

Both lists come with the `genai-prices` package; nothing here asks a network.
"""

from genai_prices import Usage as PricedUsage
from genai_prices import calc_price
from genai_prices.data_snapshot import get_snapshot

from protocol.messages import Cost, Usage
from providers.presets import PRESETS

# Nobody sends a bill for these. Servers added by configuration are not known here, so neither is their price.
_FREE = {"scripted", "llama"} | {name for name, preset in PRESETS.items() if preset.local}


def cost(model: str, usage: Usage) -> Cost | None:
    """What `usage` of `provider:model` costs in US dollars today; None when the price is unknown."""
    name, _, rest = model.partition(":")
    if name in _FREE:
        return Cost(0.0)
    if name not in PRESETS:
        return None
    cached = min(usage.cached, usage.input)
    tokens = PricedUsage(
        input_tokens=usage.input,
        cache_read_tokens=cached,
        cache_write_tokens=min(usage.cache_write, usage.input - cached),
        output_tokens=usage.output,
    )
    try:
        return Cost(float(calc_price(tokens, rest, provider_id=PRESETS[name].prices).total_price))
    except LookupError:
        return None


def window(model: str) -> int | None:
    """Tokens that `provider:model` reads and writes in one request, as far as the list tells; a server of one's own is
    not in it."""
    name, _, rest = model.partition(":")
    preset = PRESETS.get(name)
    if preset is None or not preset.prices:
        return None
    try:
        return get_snapshot().find_provider_model(rest, None, preset.prices, None)[1].context_window
    except LookupError:
        return None


def known(model: str) -> bool:
    """Whether turns of `provider:model` can be priced, and so a limit in dollars can be kept."""
    return cost(model, Usage()) is not None
