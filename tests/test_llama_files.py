"""Which names there are: files directly under the configured folders, and no way out of them."""

from pathlib import Path

import pytest

from protocol.errors import Invalid
from providers.llama.files import ModelFiles

GGUF = b"GGUF\x03\0\0\0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`a` and `b` in it, a model outside it, and what is no model."""
    folder = tmp_path / "models"
    (folder / "sub").mkdir(parents=True)
    for name in ("a", "b", "sub/c", "../outside", "mmproj-a"):
        (folder / f"{name}.gguf").write_bytes(GGUF)
    (folder / "empty.gguf").touch()
    (folder / "page.gguf").write_text("<html>")
    (folder / "a.txt").write_bytes(GGUF)
    (folder / "dir.gguf").mkdir()
    return folder


def test_names_are_the_files_that_are_models(folder: Path) -> None:
    files = ModelFiles([folder])
    assert files.names() == ["a", "b"]
    assert files.find("a") == ("a", folder / "a.gguf")


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../outside",
        "sub/c",
        "/etc/passwd",
        "a.gguf",
        "a\0",
        "..\\outside",
        "empty",
        "page",
        "dir",
        "mmproj-a",
    ],
)
def test_nothing_else_is_found(folder: Path, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        ModelFiles([folder]).find(name)
    assert (refused.value.field, refused.value.code) == ("model", "invalid")


def test_a_file_that_only_looks_like_a_model_is_named(folder: Path) -> None:
    for name in ("empty", "page"):
        with pytest.raises(
            Invalid, match=rf"^{name}\.gguf cannot be read, or is no GGUF file: fetch it again"
        ):
            ModelFiles([folder]).find(name)
    troubles = ModelFiles([folder, folder / "none"]).troubles()
    assert [trouble.split(" ")[0] for trouble in troubles] == [
        str(folder / "none"),
        *sorted(str(folder / f"{name}.gguf") for name in ("empty", "page")),
    ]


def test_links_may_not_leave_the_folders(folder: Path, tmp_path: Path) -> None:
    (folder / "out.gguf").symlink_to(tmp_path / "outside.gguf")
    (folder / "circle.gguf").symlink_to(folder / "circle.gguf")
    (folder / "in.gguf").symlink_to(folder / "a.gguf")
    files = ModelFiles([folder])
    assert files.names() == ["a", "b", "in"]
    assert files.find("in").path == folder / "a.gguf"
    assert "out" in ModelFiles([folder, tmp_path]).names()


def test_a_folder_that_is_a_link_is_where_it_leads(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert ModelFiles([tmp_path / "link"]).names() == ["a", "b"]


def test_the_first_folder_wins(folder: Path) -> None:
    (folder / "sub/a.gguf").write_bytes(GGUF)
    assert ModelFiles([folder / "sub", folder]).find("a").path == folder / "sub/a.gguf"


def test_a_file_in_parts_is_its_first_part(folder: Path) -> None:
    for part in (1, 2):
        (folder / f"big-0000{part}-of-00002.gguf").write_bytes(GGUF)
    files = ModelFiles([folder])
    assert files.names() == ["a", "b", "big"]
    assert files.find("big").path.name == "big-00001-of-00002.gguf"


def test_a_near_name_is_told(folder: Path) -> None:
    (folder / "llama-3.2-3b.gguf").write_bytes(GGUF)
    with pytest.raises(Invalid, match=r"did you mean 'llama-3\.2-3b'"):
        ModelFiles([folder]).find("llama-3.2-8b")
    with pytest.raises(Invalid, match=r"there are a, b, llama-3\.2-3b"):
        ModelFiles([folder]).find("xyz")


def test_no_folder_and_a_folder_that_is_not_there() -> None:
    with pytest.raises(Invalid) as refused:
        ModelFiles([]).find("a")
    assert refused.value.code == "not_configured"
    assert ModelFiles([Path("/nowhere")]).names() == []
