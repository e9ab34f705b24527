"""Configuration: what wins over what, and how a mistake is told."""

import os
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import Invalid
from roundtable.config import Config, load


def write(folder: Path, text: str) -> Path:
    path = folder / "roundtable.toml"
    path.write_text(text)
    return path


def test_defaults_are_loopback_and_the_platforms_data_folder() -> None:
    config = load(None, {}, {"HOME": "/home/ada"})
    assert config.host == "127.0.0.1"
    assert config.secret == ""
    assert config.data == Config().data == Path("~/.local/share/roundtable").expanduser()


def test_xdg_data_home_is_followed_unless_it_is_relative() -> None:
    assert load(None, {}, {"XDG_DATA_HOME": "/x"}).data == Path("/x/roundtable")
    assert load(None, {}, {"XDG_DATA_HOME": "x"}).data == Path("~/.local/share/roundtable").expanduser()


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    file = write(tmp_path, 'port = 1\nhost = "127.0.0.2"\ndata = "/file"')
    environ = {"ROUNDTABLE_DATA": "/environ", "XDG_DATA_HOME": "/xdg"}
    config = load(file, {"port": 2, "data": None}, environ)
    assert (config.port, config.host, config.data) == (2, "127.0.0.2", Path("/environ"))
    assert load(file, {"data": "/flag"}, environ).data == Path("/flag")
    assert load(file, {}, {}).data == Path("/file")


def test_model_folders_come_from_the_environment_as_a_path_does(tmp_path: Path) -> None:
    file = write(tmp_path, 'model_folders = ["here"]')
    assert load(file, {}, {}).model_folders == (tmp_path / "here",)
    assert load(file, {}, {"ROUNDTABLE_MODEL_FOLDERS": f"/a{os.pathsep}/b"}).model_folders == (
        Path("/a"),
        Path("/b"),
    )


def test_paths_in_a_file_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hunter2\n")
    config = load(write(tmp_path, 'data = "tables"\nsecret_file = "key"'), {}, {})
    assert config.data == tmp_path / "tables"
    assert config.secret == "hunter2"


def test_the_secret_is_never_shown() -> None:
    config = load(None, {}, {"ROUNDTABLE_SECRET": "hunter2"})
    assert config.secret == "hunter2"
    assert "hunter2" not in repr(config)


def test_a_server_of_ones_own(tmp_path: Path) -> None:
    text = '[providers.lab]\ndialect = "openai"\nbase_url = "http://lab:9/v1"\napi_key_env = "LAB_KEY"'
    lab = load(write(tmp_path, text), {}, {}).providers["lab"]
    assert (lab.dialect, lab.base_url, lab.api_key_env) == ("openai", "http://lab:9/v1", "LAB_KEY")


@pytest.mark.parametrize(
    ("text", "field", "told"),
    [
        ("prot = 1", "prot", "did you mean port?"),
        ("zzz = 1", "zzz", "the keys are host, port"),
        ('[panels.jury]\npolice="parallel"', "panels.jury.police", "did you mean policy?"),
        ("[panels.jury.limits]\nmax_round=1", "panels.jury.limits.max_round", "did you mean max_rounds?"),
        (
            '[[panels.jury.panel]]\nname="Ada"\nmodell="a:b"',
            "panels.jury.panel[0].modell",
            "did you mean model?",
        ),
        ('[providers.lab]\ndialect="openai"\nbaseurl="x"', "providers.lab.baseurl", "did you mean base_url?"),
        ('[panels.jury]\nshow="all"', "panels.jury.show", "one of discussion, verdict"),
        ('[[panels.jury.panel]]\nname="Ada"', "panels.jury.panel[0]", "`model`"),
        ('port = "80"', "port", "port: Expected `int`, got `str`"),
        ("port = 65536", "port", "<= 65535"),
        ('allowed_hosts = "x"', "allowed_hosts", "Expected `array`"),
        ('[providers.lab]\ndialect="openai"', "providers.lab", "base_url"),
        ('[providers.lab]\ndialect="telnet"\nbase_url="x"', "providers.lab.dialect", "openai, "),
        ('secret = "x"', "secret", "ROUNDTABLE_SECRET"),
        ('secret_file = "nowhere"', "secret_file", "cannot be read"),
        ("port =", "config", "not valid TOML"),
    ],
)
def test_a_mistake_names_its_key(tmp_path: Path, text: str, field: str, told: str) -> None:
    with pytest.raises(Invalid) as caught:
        load(write(tmp_path, text), {}, {})
    assert caught.value.field == field
    assert told in caught.value.detail


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"nowhere\.toml cannot be read"):
        load(tmp_path / "nowhere.toml", {}, {})


def test_an_empty_secret_file_does_not_mean_no_secret(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n")
    with pytest.raises(Invalid, match="is empty"):
        load(write(tmp_path, 'secret_file = "key"'), {}, {})


def test_a_config_cannot_be_changed() -> None:
    config: Any = Config()
    with pytest.raises(AttributeError):
        config.port = 1
