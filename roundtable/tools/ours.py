"""The tools that come with the package, as one list. A new one is a line here."""

from collections.abc import Callable

from providers.catalog import Catalog
from roundtable.fanout.broadcast import Broadcast
from roundtable.hosting.host import Host
from roundtable.tools.base import Tool
from roundtable.tools.complete import Complete
from roundtable.tools.generate import Generate
from roundtable.tools.race import Race
from roundtable.tools.table import ConveneTable, Table
from roundtable.tools.vector_markov import VectorMarkov


def ours(
    catalog: Catalog, host: Host, broadcast: Broadcast, admit: Callable[[str], None] = lambda caller: None
) -> list[Tool]:
    """Every one of them, in the order in which they are listed. `admit` counts a caller's new tables, and raises when
    they are too many."""
    alone: list[Tool] = [Complete(catalog), Generate(catalog), Race(), VectorMarkov()]
    return [*alone, Table(host, broadcast), ConveneTable(host, broadcast, admit)]
