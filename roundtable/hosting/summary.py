"""A table in a line, for lists."""

import msgspec

from protocol.transcript import TableStatus, Transcript


class SeatLine(msgspec.Struct, frozen=True):
    """A panelist by name and `provider:model`."""

    name: str
    model: str


class Summary(msgspec.Struct, frozen=True):
    """What a list shows of a table; `title` is what a person calls it instead of its topic. Times are Unix seconds,
    `dollars` is a lower bound while `unpriced` is not 0; `record` is false for one that is kept in memory only."""

    id: str
    topic: str
    title: str
    status: TableStatus
    reason: str
    panel: list[SeatLine]
    policy: str
    opened_at: float
    at: float
    turns: int
    tokens: int
    dollars: float
    unpriced: int
    record: bool
    cursor: str


def summarise(transcript: Transcript) -> Summary:
    """The summary of a transcript."""
    return Summary(
        id=transcript.table,
        topic=transcript.topic,
        title=transcript.title,
        status=transcript.status,
        reason=transcript.ended_reason,
        panel=[SeatLine(panelist.name, panelist.model) for panelist in transcript.panel],
        policy=transcript.policy,
        opened_at=transcript.opened_at,
        at=transcript.at,
        turns=transcript.spent.turns,
        tokens=transcript.spent.tokens_in + transcript.spent.tokens_out,
        dollars=transcript.spent.dollars,
        unpriced=transcript.spent.unpriced,
        record=transcript.record,
        cursor=transcript.cursor,
    )
