"""The deployed gateway on this machine: a real nginx with the very configuration, before services on loopback."""

import getpass
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

CONFIGURATION = Path(__file__).parent.parent / "deploy" / "gateway" / "nginx.conf"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def gateway(folder: Path, services: Mapping[str, int]) -> Iterator[str]:
    """nginx before the services that listen on these ports; gives its address."""
    folder.mkdir()
    port = free_port()
    text = CONFIGURATION.read_text().replace("/tmp/", f"{folder}/").replace("listen 8080", f"listen 127.0.0.1:{port}")  # noqa: S108
    for name, number in services.items():
        text = re.sub(rf"\b{name}:8000", f"127.0.0.1:{number}", text)
    if os.geteuid() == 0:  # its workers would otherwise be somebody who may not write here
        text = f"user {getpass.getuser()};\n{text}"
    configuration = folder / "nginx.conf"
    configuration.write_text(text)
    server = subprocess.Popen([NGINX, "-c", configuration, "-g", "daemon off;"], stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)
