"""LiteLLM's proxy as one installs it, in an environment of its own: it shares no version with ours.

Made once, in the folder that `ROUNDTABLE_BENCH_LITELLM` names or in the user's cache.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

VERSION = "1.106.2"
# Seconds. It imports for ten of them on an idle machine.
START_WITHIN = 120.0
INSTALL_WITHIN = 600.0


def installed() -> Path:
    """Its program; installed now if it is not there. Raises `CalledProcessError`, `TimeoutExpired`."""
    cache = Path(
        os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "roundtable-bench", f"litellm-{VERSION}"
    )
    folder = Path(os.environ.get("ROUNDTABLE_BENCH_LITELLM") or cache)
    program = folder / "bin" / "litellm"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        command = [str(folder / "bin" / "pip"), "install", "--quiet", f"litellm[proxy]=={VERSION}"]
        subprocess.run(
            command, check=True, timeout=INSTALL_WITHIN, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    return program


@contextmanager
def proxy(program: Path, folder: Path, upstream: int, models: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Its port and process id, with these models of the server at port `upstream`; one worker, as ours is one."""
    base = f"http://127.0.0.1:{upstream}/v1"
    listed = [
        {
            "model_name": name,
            "litellm_params": {"model": f"openai/{name}", "api_base": base, "api_key": "sk-bench"},
        }
        for name in models
    ]
    config = folder / "litellm.yaml"  # JSON is YAML
    config.write_text(json.dumps({"model_list": listed, "litellm_settings": {"telemetry": False}}))
    port = _free()
    command = [
        str(program),
        "--config",
        str(config),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--num_workers",
        "1",
    ]
    environ = {
        **os.environ,
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # checking keys is no part of the figure
    }
    process = subprocess.Popen(
        command, env=environ, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(port, process)
        yield port, process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_WITHIN
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"LiteLLM did not listen within {START_WITHIN:.0f} s")
