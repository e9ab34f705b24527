"""`python -m tests.bench [ROW ...]`: the rows, one after the other, each beside its baseline in the same run."""

import argparse
from collections.abc import Callable, Iterator

from tests.bench import (
    append,
    cancel,
    context,
    fanout,
    first_token,
    halt,
    interrupt,
    memory,
    proxying,
    replay,
    steps,
    takeover,
    upstream,
)
from tests.bench.figures import HEADING, Figure
from tests.bench.processes import machine


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "rows",
        nargs="*",
        metavar="ROW",
        help="fanout, views, replay, first_token, append, memory, takeover, upstream, cancel, halt, interrupt, steps, "
        "proxying (all)",
    )
    parser.add_argument("--repeat", type=int, default=3, help="runs of each side, in turn (3)")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each run that has a pace (6)")
    options = parser.parse_args()
    rows: dict[str, Callable[[], Iterator[Figure]]] = {
        "fanout": lambda: fanout.measure(options.seconds, options.repeat),
        "views": lambda: fanout.views(options.seconds, options.repeat),
        "replay": lambda: replay.measure(options.repeat),
        "first_token": lambda: first_token.measure(options.repeat),
        "append": lambda: append.measure(options.repeat),
        "memory": lambda: memory.measure(options.repeat),
        "takeover": lambda: takeover.measure(options.repeat),
        "upstream": lambda: upstream.measure(options.repeat),
        "cancel": lambda: cancel.measure(options.repeat),
        "halt": lambda: halt.measure(options.repeat),
        "interrupt": lambda: interrupt.measure(options.repeat),
        "steps": lambda: steps.measure(options.repeat),
        "proxying": lambda: proxying.measure(options.repeat),
        "context": context.measure,
    }
    print(machine())
    print(HEADING)
    for name in options.rows or rows:
        for figure in rows[name]():
            print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
