"""What people paste."""

import pytest

from protocol.errors import Invalid
from roundtable.sdk import addresses
from roundtable.sdk.addresses import Place

ID = "01jabcdefghjkmnp"


@pytest.mark.parametrize(
    ("text", "server"),
    [
        (ID, "http://127.0.0.1:8420"),
        (f"http://localhost:8420/t/{ID}", "http://localhost:8420"),
        (f"https://example.org/t/{ID}?at=1-2#x", "https://example.org"),
        (f"HTTPS://example.org/team/a/t/{ID}/", "https://example.org/team/a"),
        (f"http://[::1]:1/v1/roundtables/{ID}", "http://[::1]:1"),
        (f"http://h/v1/roundtables/{ID}/events", "http://h"),
        (f"http://h/t/v1/roundtables/{ID}", "http://h/t"),
    ],
)
def test_a_table_is_found_behind(text: str, server: str) -> None:
    assert addresses.table(text) == Place(server, ID)


@pytest.mark.parametrize(
    "text",
    ["", "a b", "../x", "http://h", "http://h/t/", "http://h/t/..", "http://h/t/a%2fb", "http:///t/a",
     "http://h:x/t/a", "http://me:pw@h/t/a", "http://[::1/t/a", "ftp://h/t/a", "http://h/about/a"],
)  # fmt: skip
def test_what_is_no_table(text: str) -> None:
    with pytest.raises(Invalid):
        addresses.table(text)


def test_a_secret_in_an_address_is_not_repeated() -> None:
    with pytest.raises(Invalid) as caught:
        addresses.server("http://me:hunter2@h")
    assert "hunter2" not in caught.value.detail


def test_an_id_is_looked_for_at_the_server_given() -> None:
    assert addresses.table(ID, "https://h/x/") == Place("https://h/x", ID)
