"""What lies on the table, as it stands in a prompt: what is to be read, and the names of pictures."""

from protocol.messages import Image
from protocol.transcript import Material, Transcript

# Characters of all material in one prompt, shared evenly: some 15,000 tokens, which leaves room to talk.
MAX_CHARACTERS = 60_000


def images(transcript: Transcript) -> tuple[Image, ...]:
    """Those on the table, without their bytes."""
    return tuple(
        Image(material.name, material.media_type, material.sha256)
        for material in transcript.materials
        if material.form == "image"
    )


def texts(transcript: Transcript) -> list[tuple[str, str, str]]:
    """Each material's name, type and what of it is read out: a picture's is that it is one."""
    readable = [material for material in transcript.materials if material.form == "text"]
    share = MAX_CHARACTERS // max(1, len(readable))
    return [(material.name, material.media_type, _text(material, share)) for material in transcript.materials]


def _text(material: Material, share: int) -> str:
    if material.form == "image":
        return "(a picture; who can see has it before this message)"
    left_out = max(0, len(material.text) - share)
    if not (left_out or material.cut):
        return material.text
    how_much = f"{left_out:,} characters" if left_out else "More"
    return f"{material.text[:share]}\n({how_much} of it are left out here.)"
