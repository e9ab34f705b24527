"""The server as a process: its port, its signals, and how long it takes to stop."""

import gc
import logging
import os
import signal
import sys
from collections.abc import Callable

from aiohttp import web

from protocol.errors import Invalid
from roundtable import policies
from roundtable.config import Config
from roundtable.edge import limits
from roundtable.edge.app import build
from roundtable.signals import stop_on, stop_with_parent

# Seconds the loop may hold the interpreter before the log's thread gets it. With Python's 5 ms a busy loop made an
# append wait up to a second (see log/README.md).
SWITCH = 0.0001
# Connections the kernel holds until we accept them: a shared link brings a thousand people in one second.
BACKLOG = 4096
# Seconds. A handler still at work gets this long after the streams were ended; with the host's and the log's own
# closing a stop stays within ten.
SHUTDOWN_WITHIN = 3.0
# Longer than a proxy in front keeps its idle connections (commonly 60 s), so that it never meets a closed one.
KEEPALIVE = 75.0
# A caller whose body was refused goes on sending it; so long we read and forget, so that it hears the refusal.
LINGER = 3.0


async def serve(config: Config, listening: Callable[[str], None], *, worker: bool = False) -> None:
    """Serve until SIGINT or SIGTERM; a second one ends the process at once. `listening` is told the address.

    A worker shares its port with others, and stops with its parent.
    """
    limits.raise_open_files()
    # Its parser prints a traceback for whatever anyone may send; what a handler did not foresee we log ourselves.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    # It warns of whatever a client's handshake offers.
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)
    sys.setswitchinterval(SWITCH)
    stop = stop_on(signal.SIGINT, signal.SIGTERM)
    if worker:
        stop_with_parent(stop)
    runner = web.AppRunner(
        build(config),
        access_log=None,
        keepalive_timeout=KEEPALIVE,
        lingering_time=LINGER,
        shutdown_timeout=SHUTDOWN_WITHIN,
    )
    try:
        await runner.setup()
        await _listen(runner, config, shared=worker)
        policies.available()  # read from the disk now, and not while the first table is convened
        gc.freeze()  # what was imported stays: a full collection walks only what tables made since
        listening(_url(config.host, runner.addresses[0][1]))
        await stop.wait()
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, config: Config, *, shared: bool) -> None:
    site = web.TCPSite(
        runner,
        config.host or None,
        config.port,
        backlog=BACKLOG,
        reuse_address=True,
        reuse_port=shared or None,
    )
    try:
        await site.start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise Invalid(
            f"Cannot listen on {config.host}:{config.port}: {reason}. Choose another with --host or --port.",
            field="port",
        ) from error


def _url(host: str, port: int) -> str:
    host = host or "0.0.0.0"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
