"""A llama-architecture model of half a megabyte: random weights from a seed, one token per byte.

It says nonsense, but through llama.cpp's real tokenizer, prefill and token loop, and needs no download.
"""

from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

LAYERS, WIDTH, HIDDEN, HEADS, CONTEXT = 2, 64, 128, 4, 512
SPECIAL = ["<unk>", "<s>", "</s>"]
TOKENS = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))]


def write(path: Path, seed: int = 7) -> None:
    """Write the model; the same bytes for the same seed."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_block_count(LAYERS)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    _vocabulary(writer)
    for name, weights in _weights(np.random.default_rng(seed)).items():
        writer.add_tensor(name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _vocabulary(writer: gguf.GGUFWriter) -> None:
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(TOKENS)
    writer.add_token_scores([0.0] * len(TOKENS))
    writer.add_token_types([*kinds, *[gguf.TokenType.BYTE] * 256])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)


def _weights(dice: np.random.Generator) -> dict[str, npt.NDArray[np.float32]]:
    def random(*shape: int) -> npt.NDArray[np.float32]:
        return dice.standard_normal(shape, dtype=np.float32) / np.float32(np.sqrt(shape[-1]))

    ones = np.ones(WIDTH, dtype=np.float32)
    # Only printable ASCII gets a say, so that the nonsense is text; the end of the answer is the caller's limit.
    output = random(len(TOKENS), WIDTH) * 8
    output[: len(SPECIAL) + 0x20] = 0
    output[len(SPECIAL) + 0x7F :] = 0
    weights = {
        "token_embd.weight": random(len(TOKENS), WIDTH),
        "output_norm.weight": ones,
        "output.weight": output,
    }
    for layer in range(LAYERS):
        weights |= {
            f"blk.{layer}.attn_{part}.weight": random(WIDTH, WIDTH) for part in ("q", "k", "v", "output")
        }
        weights |= {f"blk.{layer}.{part}_norm.weight": ones for part in ("attn", "ffn")}
        weights |= {f"blk.{layer}.ffn_{part}.weight": random(HIDDEN, WIDTH) for part in ("gate", "up")}
        weights[f"blk.{layer}.ffn_down.weight"] = random(WIDTH, HIDDEN)
    return weights
