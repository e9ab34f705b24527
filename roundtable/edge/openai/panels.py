"""Panels as models: `roundtable/NAME` holds a table about the conversation it is sent.

They are the configuration's, and `roundtable/default`: whoever can speak here, one round.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

import msgspec

from protocol.errors import Invalid
from providers.catalog import Catalog
from roundtable import policies
from roundtable.config import Panel
from roundtable.edge.openai.errors import UnknownModel
from roundtable.edge.openai.messages import AssistantMessage, ChatMessage, ToolMessage, UserMessage, text
from roundtable.edge.openai.request import ChatRequest, handed_on
from roundtable.hosting import convening
from roundtable.hosting.convening import AskedLimits, AskedSeat, Convene

PREFIX = "roundtable/"
DEFAULT = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
# What belongs to a seat, beside all that is handed on to its provider. A seed is the table's, too.
_OF_SEATS = ("max_tokens", "max_completion_tokens", "tools")


class Panels:
    """By name."""

    def __init__(self, configured: Mapping[str, Panel]) -> None:
        self._panels = {DEFAULT: Panel(), **configured}

    async def check(self, catalog: Catalog) -> None:
        """Raises `Invalid`, naming the setting, for a panel that could never be held; one that only lacks a key is
        refused when it is asked."""
        for name, panel in self._panels.items():
            if not _NAME.fullmatch(name):
                raise Invalid(f"panels.{name}: a panel's name is letters, digits and ._- .", field="panels")
            try:
                policies.find(panel.policy)
                _check_show(panel, panel.show, "show")
                if panel.panel:
                    await convening.opening("", _convene(panel, "A question"), catalog)
            except Invalid as error:
                if error.code != "not_configured":
                    where = f"panels.{name}.{error.field}"
                    raise Invalid(f"{where}: {error.detail}", field=where) from error

    def names(self) -> Iterator[str]:
        """As models."""
        return (PREFIX + name for name in self._panels)

    def find(self, model: str) -> Panel:
        """The panel; raises `UnknownModel` and names the nearest."""
        name = model.removeprefix(PREFIX)
        if name not in self._panels:
            near = get_close_matches(name, self._panels, n=1)
            hint = f"did you mean {PREFIX}{near[0]}?" if near else f"there is {', '.join(self.names())}."
            raise UnknownModel(f"There is no panel {name[:60]!r}; {hint}")
        return self._panels[name]


def convene(panel: Panel, asked: ChatRequest) -> Convene:
    """The table for this request. Raises `Invalid` naming the parameter that means nothing at one."""
    of_seats = [name for name in _OF_SEATS if getattr(asked, name)]
    of_seats += [name for name in handed_on(asked) if name != "seed"]
    if of_seats:
        raise Invalid(f"A panel takes no {of_seats[0]}: its seats and limits are its own.", field=of_seats[0])
    if asked.roundtable.options:
        raise Invalid("A panel's seats have options of their own.", field="roundtable.options")
    _check_show(panel, asked.roundtable.show or panel.show, "roundtable.show")
    return msgspec.structs.replace(_convene(panel, topic(asked.messages)), seed=asked.seed)


def _check_show(panel: Panel, show: str, field: str) -> None:
    if show == "verdict" and not policies.concludes(panel.policy):
        raise Invalid(
            f"This panel speaks under the policy {panel.policy!r}, which comes to no verdict.", field=field
        )


def wants_verdict(panel: Panel, asked: ChatRequest) -> bool:
    """Whether only the verdict is to be told."""
    return (asked.roundtable.show or panel.show) == "verdict"


def topic(messages: Sequence[ChatMessage]) -> str:
    """The last thing a person said, and before it what led there. Raises `Invalid` when nobody said anything."""
    last = max((at for at, each in enumerate(messages) if isinstance(each, UserMessage)), default=None)
    if last is None or last != len(messages) - 1:
        raise Invalid("A panel answers a person: the last message is the user's.", field="messages")
    before = "\n\n".join(f"{_who(message)}: {text(message.content)}" for message in messages[:last])
    question = text(messages[last].content)
    return f"{question}\n\n[What was said before this question]\n\n{before}" if before else question


def _who(message: ChatMessage) -> str:
    match message:
        case UserMessage():
            return "User"
        case AssistantMessage():
            return "Assistant"
        case ToolMessage():
            return "Tool"
        case _:
            return "Instructions"


def _convene(panel: Panel, topic: str) -> Convene:
    seats = [msgspec.convert(seat, AskedSeat, from_attributes=True) for seat in panel.panel]
    limits = AskedLimits(**msgspec.structs.asdict(panel.limits))
    return Convene(topic, seats or msgspec.UNSET, panel.policy, limits)
