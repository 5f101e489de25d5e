"""Serve the built book as GitHub Pages does: `python -m tools.serve [--port 8000]`.

The one static server, for readers (`make serve`), the page tests and Lighthouse. It listens on
127.0.0.1 only, answers under the book's path, and gives out no file from outside its folder.
"""

import argparse
import contextlib
import gzip
import http.server
import mimetypes
import sys
import threading
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from tools.normalise import ROOT, repository_url

HTML = ROOT / "_build" / "html"
PREFIX = f"/{repository_url().rsplit('/', 1)[1]}/"  # where GitHub Pages puts the book
# Python's own table, not the machine's, which may differ; and what the older Pythons lack in it.
TYPES = mimetypes.MimeTypes()
for name, ending in {
    "application/json": ".ipynb",
    "application/xml": ".xml",
    "font/woff2": ".woff2",
    "image/webp": ".webp",
    "text/javascript": ".js",
}.items():
    TYPES.add_type(name, ending)
# What is text has a character set, and is worth compressing.
TEXT = ("text/", "application/json", "application/xml", "image/svg+xml")


class Server(http.server.ThreadingHTTPServer):
    """A server of one folder.

    Args:
        folder: path of the folder that is served.
        prefix: str, the path under which it is served; begins and ends with a slash.
        port: int, 0 for any free one.
        as_published: bool; compress text and let browsers keep it, as GitHub Pages does, so that
            weights can be measured. Otherwise a reload always shows the newest build.
    """

    def __init__(self, folder, prefix, port, as_published):
        self.folder = Path(folder).resolve()
        self.prefix = prefix
        self.as_published = as_published
        super().__init__(("127.0.0.1", port), Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET and HEAD with a file of the server's folder, or with the folder's 404 page."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Send a file, a redirection to a folder, or the page for what is missing."""
        path = unquote(urlsplit(self.path).path)
        if path == "/" and self.server.prefix != "/":
            self.redirect(self.server.prefix)
            return
        try:
            found = self.find(path)
        except (OSError, RuntimeError, ValueError):  # too long, a loop of links, a null byte
            found = None
        if found is None:
            missing = self.server.folder / "404.html"
            text = missing.read_bytes() if missing.is_file() else b"There is no such page.\n"
            self.send(404, "text/html", text)
        elif found.is_dir():
            self.redirect(quote(path) + "/")
        else:
            self.send(200, TYPES.guess_type(found.name)[0], found.read_bytes())

    do_HEAD = do_GET

    def find(self, path):
        """Return the file that a path stands for, or a folder if a slash is missing, or None.

        Links are followed before the check, so neither `..` nor a symbolic link leads out.
        """
        if not path.startswith(self.server.prefix):
            return None
        found = (self.server.folder / path.removeprefix(self.server.prefix)).resolve()
        if path.endswith("/"):
            found = (found / "index.html").resolve()
        is_inside = found.is_relative_to(self.server.folder)
        return found if is_inside and (found.is_file() or found.is_dir()) else None

    def redirect(self, place):
        """Send the reader to another path of this server."""
        self.send_response(301)
        self.send_header("Location", place)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send(self, status, kind, body):
        """Send the headers, and the body unless only they were asked for."""
        kind = kind or "application/octet-stream"
        is_text = kind.startswith(TEXT)
        compressed = (
            self.server.as_published
            and is_text
            and "gzip" in self.headers.get("Accept-Encoding", "")
        )
        body = gzip.compress(body, mtime=0) if compressed else body
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if is_text else kind)
        self.send_header("Content-Length", str(len(body)))
        age = "max-age=600" if self.server.as_published else "no-cache"
        self.send_header("Cache-Control", age)
        if compressed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *arguments):
        """Stay quiet."""


@contextlib.contextmanager
def serve(folder=HTML, prefix=PREFIX, *, port=0, as_published=False):
    """Serve a folder while the `with` block runs; its value is the address, with the prefix.

    Args: those of `Server`.

    Raises:
        OSError: the port is taken.
    """
    with Server(folder, prefix, port, as_published) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{prefix}"
        finally:
            server.shutdown()


def main(arguments):
    """Serve the built book until it is interrupted; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.serve", description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    port = parser.parse_args(arguments).port
    if not (HTML / "index.html").is_file():
        print("The pages are not built; run 'make book'.", file=sys.stderr)
        return 1
    try:
        with serve(port=port) as address, contextlib.suppress(KeyboardInterrupt):
            print(f"The book is at {address} until you press Ctrl-C.", flush=True)
            threading.Event().wait()
    except OSError as error:
        print(f"Port {port}: {error.strerror}. Name another: make serve PORT=8001", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
