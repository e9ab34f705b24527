"""`generate`: the sampling loop of a model on this machine. A text is gone on with as it is; each token is a step."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec.structs import replace

from protocol.errors import Invalid, ProviderError
from providers.base import Generates, Stop, Text, Token
from providers.catalog import Catalog
from providers.llama.options import Sampled
from providers.options import Tokens
from roundtable.tools.base import Context, Final, Step, Told

# Tokens unless told otherwise: a paragraph. What has no chat template seldom ends by itself.
MAX_TOKENS = 128


class Args(Sampled, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`prompt` is gone on with as it is, without a chat template; control tokens in it are what they say. `model` is
    `llama:NAME`, or without it the first model file there is.
    """

    prompt: str
    model: str = ""
    max_tokens: Tokens = MAX_TOKENS


class Generate:
    """A step has `token`, its id, and `text`: the whole characters that it completed, perhaps none."""

    name = "generate"
    title = "A model's own words"
    summary = "Let a model on this machine go on with a text; each sampled token is a step."
    args = Args

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def run(self, args: Args, context: Context) -> AsyncGenerator[Told]:
        """`Final.value` is `{"model","text","rest","stop_reason","usage"}`, where `rest` is the end of the text that no
        step has; its reason the stop reason. Raises `Invalid` at once when there is no such model.
        """
        args = replace(args, model=args.model or self._catalog.first_file())
        provider, model = self._catalog.resolve(args.model)
        if not isinstance(provider, Generates):
            detail = (
                f"Only a model on this machine (llama:NAME) goes on with a text; {args.model[:60]} does not."
            )
            raise Invalid(detail, field="model")
        return _run(provider, model, args)


async def _run(provider: Generates, model: str, args: Args) -> AsyncGenerator[Told]:
    options = {name: getattr(args, name) for name in Sampled.__struct_fields__}
    said, rest = list[str](), ""
    async with aclosing(provider.generate(model, args.prompt, args.max_tokens, options)) as tokens:
        async for token in tokens:
            match token:
                case Token():
                    said.append(token.text)
                    yield Step({"token": token.id, "text": token.text})
                case Text():
                    rest += token.text
                case Stop():
                    text = "".join(said) + rest
                    about = {"model": args.model, "stop_reason": token.reason, "usage": token.usage}
                    yield Final({"text": text, "rest": rest, **about}, token.reason)
                    return
    raise ProviderError("The text broke off without an end.", code="connection", retryable=True)
