"""The Transcript of any table at its newest entry, without folding from the first.

A fold is kept in memory for the tables asked for lately, and as a checkpoint in the log. Both are caches:
the test holds them equal to the fold of the whole stream. Everyone reads here, the owner's node too, so what is
shown is what the log holds.
"""

import asyncio
import contextlib
from collections import OrderedDict

import msgspec

from protocol.codec import decode_body, encode
from protocol.cursor import Cursor
from protocol.errors import LogUnavailable
from protocol.transcript import Transcript, apply
from roundtable.log.base import Checkpoint, EventLog

# Entries folded since the last checkpoint before another is saved: some 10 ms of folding for whoever comes next.
CHECKPOINT_EVERY = 2_000
# Transcripts held in memory. One is the size of its text, typically 50 kB, so at most some tens of MB.
HELD = 256

_decoder = msgspec.json.Decoder(Transcript)


class _Fold:
    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.begin(Transcript())

    def begin(self, transcript: Transcript) -> None:
        self.transcript = transcript
        self.seq = self.saved = Cursor.parse(transcript.cursor).seq


class Snapshots:
    """`of(stream)` is the fold of the stream as the log has it now."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._folds: OrderedDict[str, _Fold] = OrderedDict()

    async def of(self, stream: str) -> Transcript | None:
        """None when the stream does not exist. The value goes on changing: read it before the next await."""
        fold = self._folds.get(stream) or _Fold()
        self._folds[stream] = fold
        self._folds.move_to_end(stream)
        if len(self._folds) > HELD:
            self._folds.popitem(last=False)
        async with fold.turn:
            await self._catch_up(stream, fold)
        if fold.seq == 0:
            self._folds.pop(stream, None)
            return None
        return fold.transcript

    def forget(self, stream: str) -> None:
        """Drop what is held of a stream that was deleted."""
        self._folds.pop(stream, None)

    async def _catch_up(self, stream: str, fold: _Fold) -> None:
        if fold.seq == 0 or not await self._continue(stream, fold):
            fold.begin(await self._saved(stream))  # unknown to us, or the store has lost what we folded
            await self._continue(stream, fold)
        ended = fold.transcript.status == "closed" and fold.saved < fold.seq
        if ended or fold.seq - fold.saved >= CHECKPOINT_EVERY:
            cursor = Cursor.parse(fold.transcript.cursor)
            with contextlib.suppress(LogUnavailable):  # a full store can still be read
                await self._log.save_checkpoint(stream, Checkpoint(cursor, encode(fold.transcript)))
            fold.saved = fold.seq

    async def _saved(self, stream: str) -> Transcript:
        """The checkpoint, as far as the log bears it out; else a new transcript."""
        checkpoint = await self._log.checkpoint(stream)
        if checkpoint is not None and await self._log.has(stream, checkpoint.cursor):
            return _decoder.decode(checkpoint.body)
        return Transcript()

    async def _continue(self, stream: str, fold: _Fold) -> bool:
        """Fold what is new. False, and nothing was done, when the log does not hold the entry that was folded last."""
        while True:
            # That entry is read again with what follows it: one question instead of two.
            records = await self._log.read(stream, max(0, fold.seq - 1))
            if fold.seq and not (records and str(records[0].cursor) == fold.transcript.cursor):
                return False
            fresh = records[1:] if fold.seq else records
            if not fresh:
                return True
            for record in fresh:
                apply(fold.transcript, decode_body(*record))
                fold.seq = record.cursor.seq
