"""llama.cpp itself: a model, its context of several sequences, its samplers. The only module that imports llama_cpp.

Runs in the child, on one thread. Works on the low-level functions, since `llama_cpp.Llama` knows one sequence.
"""

import ctypes
import os
import secrets
from collections.abc import Sequence
from typing import Any

import llama_cpp
import numpy as np
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from protocol.messages import Logprob, Message, ToolSpec, TopLogprob
from providers.llama import chat
from providers.llama.brake import Brake
from providers.llama.engine import Outcome, Row
from providers.llama.wire import Load, Sampling

# Sequences at a time, speaking or remembered: every table of ours has fewer seats; the rest waits its turn.
SEQUENCES = 8
# Tokens in one call of llama_decode: llama.cpp's own physical batch.
BATCH = 512
# Full conversations that the cache holds. One would be forgotten whenever another seat speaks, and each more costs
# as much memory again; conversations are seldom full, so two hold a whole panel for a long while.
FULL_CONVERSATIONS = 2
# Tokens over which a repetition is penalised: llama.cpp's default.
REPEAT_LAST = 64
# Bytes of one token's text; longer ones (runs of white space) are asked for again with the room they need.
_PIECE = 64
_ERROR = 4  # enum ggml_log_level
_CONTROL = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _log(level: int, text: bytes, _: object) -> None:
    """Errors go to stderr, and nothing else. (llama-cpp-python's own filter has the levels of an older llama.cpp.)"""
    if level == _ERROR:
        os.write(2, text)


class Unloadable(Exception):
    """llama.cpp refuses the file. Empty when its log says why."""


class Broken(Exception):
    """llama.cpp failed in the middle; nothing in this process can be relied on."""


class Sampler:
    """Chooses one answer's tokens; `close` it."""

    def __init__(self, context: Any, vocabulary: int, sampling: Sampling, prompt: Sequence[int]) -> None:
        self._context = context
        self._chain: Any = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        for link in _links(vocabulary, sampling):
            llama_cpp.llama_sampler_chain_add(self._chain, link)
        for token in prompt[-REPEAT_LAST:]:
            llama_cpp.llama_sampler_accept(self._chain, token)

    def after(self, row: int) -> int:
        """The token after that (wanted) row of the last batch."""
        return int(llama_cpp.llama_sampler_sample(self._chain, self._context, row))

    def close(self) -> None:
        """Free it."""
        if self._chain is not None:
            llama_cpp.llama_sampler_free(self._chain)
            self._chain = None


def _links(vocabulary: int, sampling: Sampling) -> list[Any]:
    """In llama.cpp's usual order: bias, penalties, the cuts, temperature, the die."""
    links = []
    if sampling.logit_bias:
        bias = [(token, value) for token, value in sampling.logit_bias.items() if token < vocabulary]
        given = (llama_cpp.llama_logit_bias * len(bias))(*bias)
        links.append(llama_cpp.llama_sampler_init_logit_bias(vocabulary, len(bias), given))
    penalties = sampling.repeat_penalty, sampling.frequency_penalty, sampling.presence_penalty
    if penalties != (1, 0, 0):
        links.append(llama_cpp.llama_sampler_init_penalties(vocabulary, REPEAT_LAST, *penalties))
    if not sampling.temperature:
        return [*links, llama_cpp.llama_sampler_init_greedy()]
    seed = secrets.randbits(32) if sampling.seed is None else sampling.seed
    return [
        *links,
        llama_cpp.llama_sampler_init_top_k(sampling.top_k),
        llama_cpp.llama_sampler_init_top_p(sampling.top_p, 1),
        llama_cpp.llama_sampler_init_min_p(sampling.min_p, 1),
        llama_cpp.llama_sampler_init_temp(sampling.temperature),
        llama_cpp.llama_sampler_init_dist(seed),
    ]


class Core:
    """A loaded model. `context` is the tokens of one conversation; all share a cache of `FULL_CONVERSATIONS` of them.

    Raises `Unloadable`. The process may die instead: that is why there is one.
    """

    sequences = SEQUENCES
    batch = BATCH

    def __init__(self, load: Load, brake: Brake) -> None:
        llama_cpp.llama_log_set(_log, None)
        llama_cpp.llama_backend_init()
        self._model = _loaded(load)
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self._vocabulary = int(llama_cpp.llama_vocab_n_tokens(self._vocab))
        trained = int(llama_cpp.llama_model_n_ctx_train(self._model))
        self.context = min(load.context, trained) if trained > 0 else load.context
        self._context = self._opened(load, brake)
        self._memory = llama_cpp.llama_get_memory(self._context)
        if self._memory is None:
            raise Unloadable("it is no model that speaks")
        # A state instead of a cache of tokens: it cannot be cut back or shared in part.
        self.whole_only = bool(
            llama_cpp.llama_model_is_recurrent(self._model) or llama_cpp.llama_model_is_hybrid(self._model)
        )
        self._batch = llama_cpp.llama_batch_init(BATCH, 0, 1)
        self._template = self._chat_template()
        self._longest = max((len(self.piece(token)) for token in range(self._vocabulary)), default=0)
        self._neutral = chat.Neutral(self._control_tokens())

    # -- text ----------------------------------------------------------------------------------------------------

    def prompt(self, system: str, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> list[int]:
        """A conversation as tokens, to be continued by the model. Raises `chat.Refused`."""
        plain = self._neutral.everywhere
        try:
            said, known = [*map(plain, messages)], [*map(plain, tools)]
        except RecursionError:
            raise chat.Refused("Its tools are nested too deeply") from None
        return self.raw(chat.render(self._template, self._neutral(system), said, known))

    def raw(self, text: str) -> list[int]:
        """A text as tokens, to be gone on with as it is, control tokens and all. Raises `chat.Refused`, `TooLong`."""
        data = text.encode(errors="replace")
        # Some of llama.cpp's tokenizers take the square of the length: a megabyte would be minutes, for all who wait.
        if len(data) > self.context * self._longest:
            raise chat.TooLong(f"The text has {len(data)} bytes, and it can read {self.context} tokens")
        tokens = self._tokens(data)
        bos = int(llama_cpp.llama_vocab_bos(self._vocab))
        if bos >= 0 and llama_cpp.llama_vocab_get_add_bos(self._vocab) and tokens[:1] != [bos]:
            tokens.insert(0, bos)  # unless the template has written it
        if not tokens:
            raise chat.Refused("There is nothing to go on with")
        return tokens

    @property
    def stops(self) -> tuple[str, ...]:
        """What ends an answer besides the model's own end tokens."""
        return () if self._template else chat.PLAIN_STOPS

    def piece(self, token: int) -> bytes:
        """A token's bytes; none for a control token."""
        return self._text_of(token, special=False)

    def ends(self, token: int) -> bool:
        """Whether the model ends its answer with this token."""
        return bool(llama_cpp.llama_vocab_is_eog(self._vocab, token))

    # -- sequences -----------------------------------------------------------------------------------------------

    def decode(self, rows: Sequence[Row]) -> Outcome:
        """Process at most `BATCH` tokens. "full" changes nothing; after "stopped" part of it may have been done."""
        batch = self._batch
        batch.n_tokens = len(rows)
        for at, row in enumerate(rows):
            batch.token[at], batch.pos[at] = row.token, row.position
            batch.n_seq_id[at], batch.seq_id[at][0] = 1, row.sequence
            batch.logits[at] = row.wanted
        match llama_cpp.llama_decode(self._context, batch):
            case 0:
                return "done"
            case 1:
                return "full"
            case 2:
                return "stopped"
            case code:
                raise Broken(f"llama_decode answered {code}")

    def sampler(self, sampling: Sampling, prompt: Sequence[int]) -> Sampler:
        """What chooses the tokens of one answer."""
        return Sampler(self._context, self._vocabulary, sampling, prompt)

    def logprob(self, row: int, token: int, top: int) -> Logprob:
        """How likely `token` was after that (wanted) row of the last batch, and the `top` likeliest there.

        It is what the model says: before temperature, cuts, penalties and bias.
        """
        pointer = llama_cpp.llama_get_logits_ith(self._context, row)
        logits = np.ctypeslib.as_array(pointer, shape=(self._vocabulary,)).astype(np.float64)
        logs = logits - logits.max()
        logs -= np.log(np.exp(logs).sum())
        top = min(top, self._vocabulary)
        likely = np.argpartition(-logs, top - 1)[:top] if top else np.empty(0, np.intp)
        best = sorted(map(int, likely), key=lambda other: (-logs[other], other))
        tops = tuple(TopLogprob(*self._told(other, logs)) for other in best)
        return Logprob(*self._told(token, logs), tops)

    def _told(self, token: int, logs: Any) -> tuple[str, float, list[int]]:
        data = self._text_of(token, special=True)
        return data.decode(errors="replace"), float(logs[token]), list(data)

    def cut(self, sequence: int, keep: int) -> int:
        """Forget a sequence but for its first `keep` tokens; how many it has kept, which may be none."""
        if keep and llama_cpp.llama_memory_seq_rm(self._memory, sequence, keep, -1):
            return keep
        llama_cpp.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        return 0

    def share(self, source: int, target: int, size: int) -> None:
        """Let `target`, which is empty, begin with the first `size` tokens of `source`: no memory, no work."""
        llama_cpp.llama_memory_seq_cp(self._memory, source, target, 0, size)

    # -- loading -------------------------------------------------------------------------------------------------

    def _opened(self, load: Load, brake: Brake) -> Any:
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = self.context * FULL_CONVERSATIONS
        params.n_batch = params.n_ubatch = BATCH
        params.n_seq_max = params.n_outputs_max = SEQUENCES
        params.kv_unified = True  # sequences share cells, and no part of the cache is anyone's
        params.n_threads = params.n_threads_batch = load.threads
        context = llama_cpp.llama_init_from_model(self._model, params)
        if context is None:
            raise Unloadable
        callback = ctypes.cast(brake.function, llama_cpp.ggml_abort_callback)
        llama_cpp.llama_set_abort_callback(context, callback, ctypes.cast(brake.data, ctypes.c_void_p))
        return context

    def _chat_template(self) -> chat.Template | None:
        source = llama_cpp.llama_model_chat_template(self._model, None)
        if not source:
            return None
        try:
            formatter = Jinja2ChatFormatter(
                source.decode(errors="replace"),
                eos_token=self._name(llama_cpp.llama_vocab_eos(self._vocab)),
                bos_token=self._name(llama_cpp.llama_vocab_bos(self._vocab)),
            )
        except Exception as error:
            raise Unloadable(f"its chat template is none: {type(error).__name__}: {error}") from error
        # A template asks whether there are `tools` at all, and an empty list is some to it.
        return lambda messages, tools: str(formatter(messages=messages, tools=tools or None).prompt)

    def _control_tokens(self) -> list[str]:
        tokens = range(self._vocabulary)
        marked = (token for token in tokens if llama_cpp.llama_vocab_get_attr(self._vocab, token) & _CONTROL)
        return [self._name(token) for token in marked]

    def _name(self, token: int) -> str:
        return self._text_of(token, special=True).decode(errors="replace") if token >= 0 else ""

    def _text_of(self, token: int, *, special: bool) -> bytes:
        room = _PIECE
        while True:
            buffer = ctypes.create_string_buffer(room)
            size = int(llama_cpp.llama_token_to_piece(self._vocab, token, buffer, room, 0, special))
            if size >= 0:
                return buffer.raw[:size]
            room = -size

    def _tokens(self, text: bytes) -> list[int]:
        room = len(text) + 8
        while True:
            buffer = (llama_cpp.llama_token * room)()
            size = int(llama_cpp.llama_tokenize(self._vocab, text, len(text), buffer, room, False, True))
            if size >= 0:
                return list(buffer[:size])
            if room >= -size:
                raise Broken(f"llama_tokenize answered {size}")
            room = -size  # a vocabulary of bytes needs three tokens for a space


def _loaded(load: Load) -> Any:
    params = llama_cpp.llama_model_default_params()
    params.n_gpu_layers = load.gpu_layers
    model = llama_cpp.llama_model_load_from_file(load.path.encode(), params)
    if model is None:
        raise Unloadable
    if llama_cpp.llama_model_has_encoder(model) or not llama_cpp.llama_model_has_decoder(model):
        raise Unloadable("it is no model that speaks")
    return model
