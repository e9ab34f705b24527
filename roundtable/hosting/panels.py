"""Panels that are kept under a name, to be convened again: those people saved, on any node, and the configuration's.

The latter are only read here. Saved ones are the fold of one stream (`catalogue/panels`), which each node reads on when
it is asked.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from protocol import system
from protocol.asked import MAX_SEATS, AskedLimits, AskedSeat
from protocol.errors import Invalid, LogDamaged, NotFound, WrongState
from protocol.events import Then
from protocol.system import PanelDropped, PanelSaved
from providers.catalog import Catalog
from roundtable import config
from roundtable.hosting import convening
from roundtable.hosting.convening import AskedUntil, Convene
from roundtable.hosting.shared import Shared
from roundtable.hosting.shown import Kept
from roundtable.log.base import EventLog, Record

STREAM = "catalogue/panels"
MAX_PANELS = 200
"""Saved at one time: more than anybody finds again by name."""
MAX_SAVES = 20_000
"""Entries of the stream, each some 2 kB: what a node reads when it is first asked for a panel."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}", re.ASCII)
DEFAULT = "default"
"""Whoever can speak here; no panel of another kind has this name."""


class Keep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `PUT /v1/panels/{name}`: what is said of a table beside its topic."""

    panel: Annotated[list[AskedSeat], msgspec.Meta(extra_json_schema={"minItems": 1, "maxItems": MAX_SEATS})]
    policy: str = convening.POLICY
    limits: AskedLimits = AskedLimits()
    then: Then = "close"
    verdict: bool | UnsetType = UNSET
    until: AskedUntil | UnsetType = UNSET


class KeptPanels:
    """All methods may raise `LogUnavailable`."""

    def __init__(
        self,
        log: EventLog,
        catalog: Catalog,
        clock: Callable[[], float],
        configured: Mapping[str, config.Panel],
    ) -> None:
        self._catalog = catalog
        self._configured = {
            name: Kept(name, "config", list(panel.panel), panel.policy, panel.limits)
            for name, panel in configured.items()
            if panel.panel
        }
        self._saved: dict[str, Kept] = {}
        self._stream = Shared(log, STREAM, clock, self._note, self._saved.clear)

    async def all(self) -> list[Kept]:
        """By name, the configuration's first."""
        await self._stream.catch_up()
        saved = [panel for name, panel in sorted(self._saved.items()) if name not in self._configured]
        return [*(self._configured[name] for name in sorted(self._configured)), *saved]

    async def find(self, name: str) -> Kept:
        """The panel of that name. Raises `NotFound`."""
        if name in self._configured:
            return self._configured[name]
        await self._stream.catch_up()
        if name not in self._saved:
            raise NotFound(f"There is no panel {name[:60]!r} here.")
        return self._saved[name]

    async def save(self, name: str, keep: Keep) -> Kept:
        """Keep it, in the place of one that has this name. Raises `Invalid` for what could not be convened,
        `WrongState` when the name is the configuration's or there are too many."""
        if not NAME.fullmatch(name):
            raise Invalid(
                "A panel's name has 1 to 60 letters, digits and ._- in it, and begins with a letter or digit.",
                field="name",
            )
        if name in self._configured or name == DEFAULT:
            raise WrongState(f"The panel {name} is the configuration's; save yours under another name.")
        opening = await convening.opening("", _asked(keep), self._catalog)
        saved = PanelSaved(
            name=name,
            panel=opening.panel,
            policy=keep.policy,
            limits=opening.limits,
            then=keep.then,
            verdict=None if keep.verdict is UNSET else keep.verdict,
            until=None if keep.until is UNSET else opening.until,
        )

        def decide() -> list[PanelSaved]:
            if name not in self._saved and len(self._saved) >= MAX_PANELS:
                raise WrongState(
                    f"{MAX_PANELS} panels are saved already; delete one first.", code="too_many_panels"
                )
            if self._stream.last.seq >= MAX_SAVES:
                raise WrongState("Panels were saved too often for one server.", code="too_many_panels")
            return [saved]

        await self._stream.add(decide)
        return self._saved[name]

    async def drop(self, name: str) -> None:
        """Forget it; tables that were convened with it keep their seats. Raises `NotFound`, `WrongState`."""
        if name in self._configured:
            raise WrongState(f"The panel {name} is the configuration's; remove it there.")
        await self.find(name)
        await self._stream.add(lambda: [PanelDropped(name=name)] if name in self._saved else [])

    async def filled(self, ask: Convene) -> Convene:
        """What is asked for, with what it leaves out as in the panel it names. Raises `Invalid`."""
        if not ask.saved:
            return ask
        try:
            kept = await self.find(ask.saved)
        except NotFound as error:
            raise Invalid(error.detail, field="saved") from error
        return msgspec.structs.replace(
            ask,
            panel=[msgspec.convert(seat, AskedSeat, from_attributes=True) for seat in kept.panel]
            if ask.panel is UNSET
            else ask.panel,
            policy=kept.policy if ask.policy is UNSET else ask.policy,
            limits=msgspec.convert(kept.limits, AskedLimits, from_attributes=True)
            if ask.limits is UNSET
            else ask.limits,
            then=kept.then if ask.then is UNSET else ask.then,
            verdict=_or_unset(kept.verdict) if ask.verdict is UNSET else ask.verdict,
            until=_until(kept) if ask.until is UNSET else ask.until,
        )

    def _note(self, record: Record) -> None:
        try:
            event = system.decode(record.body)
        except LogDamaged:
            return  # it costs itself, and no other panel
        match event:
            case PanelSaved():
                self._saved[event.name] = Kept(
                    event.name,
                    "saved",
                    event.panel,
                    event.policy,
                    event.limits,
                    event.then,
                    event.verdict,
                    event.until,
                )
            case PanelDropped():
                self._saved.pop(event.name, None)
            case _:
                pass


def _asked(keep: Keep) -> Convene:
    return Convene(
        topic="A question",
        panel=keep.panel,
        policy=keep.policy,
        limits=keep.limits,
        then=keep.then,
        verdict=keep.verdict,
        until=keep.until,
    )


def _or_unset(verdict: bool | None) -> bool | UnsetType:
    return UNSET if verdict is None else verdict


def _until(kept: Kept) -> AskedUntil | UnsetType:
    return UNSET if kept.until is None else msgspec.convert(kept.until, AskedUntil, from_attributes=True)
