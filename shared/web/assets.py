"""Static files: addresses that carry a hash of the content, served compressed and cacheable for ever."""

import gzip
import hashlib
import mimetypes
from functools import lru_cache
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

STATIC = Path(__file__).parent / "static"
MOUNT = "/static"
FOR_EVER = "public, max-age=31536000, immutable"
SQUEEZED = frozenset({".css", ".js", ".svg", ".json"})

mimetypes.add_type("font/woff2", ".woff2")


class Assets:
    """The files below one folder; as an ASGI app it answers `/<hash>/<path>` when mounted at `/static`."""

    def __init__(self, root: Path = STATIC) -> None:
        self.root = root
        self._files = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}
        self.version = self._digest()
        self._content = lru_cache(maxsize=None)(self._read)

    def _digest(self) -> str:
        """One hash for the whole folder, so that relative addresses inside a stylesheet stay within it."""
        digest = hashlib.sha256()
        for name, path in self._files.items():
            digest.update(name.encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()[:12]

    def url(self, name: str) -> str:
        """The address of a file, such as `rapport.css`; raises KeyError when there is no such file."""
        if name not in self._files:
            raise KeyError(f"no static file {name!r}; there are {', '.join(self._files)}")
        return f"{MOUNT}/{self.version}/{name}"

    def _read(self, name: str, squeezed: bool) -> bytes:
        content = self._files[name].read_bytes()
        return gzip.compress(content, compresslevel=9, mtime=0) if squeezed else content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        version, _, name = path.partition("/")
        if name not in self._files or scope["method"] not in {"GET", "HEAD"}:
            return await Response("no such file", status_code=404, media_type="text/plain")(scope, receive, send)
        squeezable = self._files[name].suffix in SQUEEZED
        squeezed = squeezable and "gzip" in Headers(scope=scope).get("accept-encoding", "")
        # During a rolling upgrade a page of the other version may ask here: answer, but let nobody keep it.
        headers = {"Cache-Control": FOR_EVER if version == self.version else "no-store"}
        if squeezable:
            headers["Vary"] = "Accept-Encoding"
        if squeezed:
            headers["Content-Encoding"] = "gzip"
        kind = mimetypes.guess_type(name)[0]
        return await Response(self._content(name, squeezed), headers=headers, media_type=kind)(scope, receive, send)
