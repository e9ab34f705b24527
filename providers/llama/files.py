"""Which models there are: NAME is NAME.gguf directly under one of the configured folders, and nothing else.

Links are followed and must end inside these folders. A file in parts (`NAME-00001-of-00003.gguf`) goes by NAME.
"""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from protocol.errors import Invalid

SUFFIX = ".gguf"
MAGIC = b"GGUF"  # github.com/ggml-org/ggml, docs/gguf.md: the first four bytes
# Entries of one folder that are looked at; a folder with more is no folder of models.
MOST_ENTRIES = 1000

_UNFIT = "cannot be read, or is no GGUF file: fetch it again, whole."
_PART = re.compile(r"(.+)-(\d{5})-of-\d{5}")
_NOT_A_NAME = re.compile(r"[/\\\0]|\A\.{0,2}\Z")


class ModelFile(NamedTuple):
    """A model by its name, and where it is: absolute, and no link."""

    name: str
    path: Path


class ModelFiles:
    """The models under `folders`; the first folder that has a name wins. Looks at the disk at each call."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = [folder.expanduser().resolve() for folder in folders]

    def find(self, name: str) -> ModelFile:
        """The file of that name. Raises `Invalid` (`not_configured` without a folder) and tells near names."""
        if not self._folders:
            raise Invalid(
                "No folder of models is configured: set model_folders, or ROUNDTABLE_MODEL_FOLDERS.",
                field="model", code="not_configured",
            )  # fmt: skip
        if _NOT_A_NAME.search(name):
            raise Invalid(f"{name[:60]!r} is no name of a model file.", field="model")
        unfit = False
        for known, entry in self._entries():
            if known == name and (path := self._inside(entry)):
                if _is_model(path):
                    return ModelFile(name, path)
                unfit = True
        if unfit:
            raise Invalid(f"{name}{SUFFIX} {_UNFIT}", field="model")
        names = self.names()
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {_listed(names)}."
        raise Invalid(f"There is no {name[:60]}{SUFFIX} in the model folders; {hint}", field="model")

    def names(self) -> list[str]:
        """Every name there is, in order."""
        return sorted({name for name, path in self._files() if _is_model(path)})

    def troubles(self) -> list[str]:
        """What a person has to mend: folders that cannot be listed, and files in them that only look like models."""
        absent = [f"{folder} {why}." for folder in self._folders if (why := _unlisted(folder))]
        return absent + sorted(f"{path} {_UNFIT}" for _, path in self._files() if not _is_model(path))

    @property
    def configured(self) -> bool:
        """Whether there is a folder to look into."""
        return bool(self._folders)

    def _entries(self) -> Iterator[tuple[str, Path]]:
        """What is called like a model, by its name."""
        for folder in self._folders:
            for entry in _listing(folder):
                if name := _name(entry):
                    yield name, entry

    def _files(self) -> Iterator[tuple[str, Path]]:
        for name, entry in self._entries():
            if path := self._inside(entry):
                yield name, path

    def _inside(self, entry: Path) -> Path | None:
        """Where an entry really is, if that is a file inside the folders."""
        try:
            path = entry.resolve(strict=True)
            inside = any(path.is_relative_to(folder) for folder in self._folders)
            # Opening anything but a regular file may hang or have an effect.
            return path if inside and path.is_file() else None
        except (OSError, RuntimeError):  # gone, or a circle of links
            return None


def _is_model(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _unlisted(folder: Path) -> str:
    """Why a folder cannot be looked into; empty if it can."""
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return ""


def _listing(folder: Path) -> Iterator[Path]:
    try:
        for count, entry in enumerate(folder.iterdir()):
            if count >= MOST_ENTRIES:
                return
            if entry.suffix == SUFFIX:
                yield entry
    except OSError:
        return


def _name(entry: Path) -> str:
    """The model's name; empty for what is only a part of one (its projector for images, or a later part)."""
    name = entry.name.removesuffix(SUFFIX)
    if name.startswith(("mmproj", ".")):
        return ""
    part = _PART.fullmatch(name)
    if part is None:
        return name
    return part[1] if part[2] == "00001" else ""


def _listed(names: list[str]) -> str:
    if not names:
        return "no models there"
    return ", ".join(names[:10]) + (" and others" if len(names) > 10 else "")
