"""A llama-architecture model that says one thing: without attention, each token leads to the next of a chain.

So real llama.cpp can be asked for exact words, a character that is split between tokens, and a silence while it works.
"""

from collections.abc import Sequence
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

from tests.tiny_gguf import SPECIAL, TOKENS

WIDTH, END, HUSH = 32, SPECIAL.index("</s>"), "<hush>"
# Enough of silence (some minutes of it) for everything that a test does meanwhile.
CONTEXT = 100_000
Piece = str | int  # a word with its space, or one byte


def write(path: Path, pieces: Sequence[Piece], *, ends: bool = True, template: str = "") -> None:
    """A model that says `pieces` (each once), then ends, or else says nothing for as long as it may."""
    words = [piece for piece in pieces if isinstance(piece, str)]
    tokens = [*TOKENS, *(word.replace(" ", "▁") for word in words), HUSH]
    hush = len(tokens) - 1
    chain = [
        len(TOKENS) + words.index(piece) if isinstance(piece, str) else len(SPECIAL) + piece
        for piece in pieces
    ]
    chain.append(END if ends else hush)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_block_count(1)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(2)
    writer.add_rope_dimension_count(WIDTH // 2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    kinds = gguf.TokenType
    special = [kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL]
    writer.add_token_types([*special, *[kinds.BYTE] * 256, *[kinds.NORMAL] * len(words), kinds.CONTROL])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(END)
    writer.add_unk_token_id(0)
    if template:
        writer.add_chat_template(template)
    for name, weights in _weights(len(tokens), chain, hush).items():
        writer.add_tensor(name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _weights(vocabulary: int, chain: list[int], hush: int) -> dict[str, npt.NDArray[np.float32]]:
    """Each token of the chain has a direction of its own, all others share one; the next token listens for it."""
    embedding, output = (np.zeros((vocabulary, WIDTH), np.float32) for _ in range(2))
    embedding[:, 0] = 1
    for at, token in enumerate(chain):
        output[token, at] = 100
        embedding[token] = np.eye(WIDTH)[at + 1]
    output[hush, len(chain)] = 100
    nothing, ones = np.zeros((WIDTH, WIDTH), np.float32), np.ones(WIDTH, np.float32)
    block: dict[str, npt.NDArray[np.float32]] = {
        f"attn_{part}": nothing for part in ("q", "k", "v", "output")
    }
    block |= {f"ffn_{part}": nothing for part in ("gate", "up", "down")}
    block |= {f"{part}_norm": ones for part in ("attn", "ffn")}
    weights = {f"blk.0.{name}.weight": value for name, value in block.items()}
    return {
        "token_embd.weight": embedding, "output_norm.weight": ones, "output.weight": output, **weights,
    }  # fmt: skip
