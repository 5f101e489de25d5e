"""Measure the built pages with Lighthouse on a slow phone: `python -m tools.lighthouse [slug ...]`.

The pages are served compressed, as GitHub Pages serves them. Needs Node.js (npx fetches
Lighthouse, or the one that LIGHTHOUSE names is used) and Chromium. Fails below the book's limits.
"""

import functools
import gzip
import http.server
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from tools.normalise import ROOT, repository_url

HTML = ROOT / "_build" / "html"
PREFIX = f"/{repository_url().rsplit('/', 1)[1]}/"
LIMITS = {"performance": 90, "accessibility": 100, "best-practices": 100, "seo": 100}
LIGHTHOUSE = os.environ.get("LIGHTHOUSE", "npx --yes lighthouse@12.8.2")
COMPRESSED = {".html", ".css", ".js", ".svg", ".xml", ".json", ".txt"}


@functools.cache
def packed(path):
    """Return a file's bytes, compressed if a static host would."""
    data = path.read_bytes()
    return gzip.compress(data) if path.suffix in COMPRESSED else data


class StaticHost(http.server.SimpleHTTPRequestHandler):
    """Serves the book under its path, compressed and with a cache time."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Answer with a file of the book, or with its 404 page."""
        name = self.path.partition("?")[0]
        path = HTML / (name.removeprefix(PREFIX) or "index.html")
        found = name.startswith(PREFIX) and path.is_file()
        path = path if found else HTML / "404.html"
        body = packed(path)
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")
        if path.suffix in COMPRESSED:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Stay quiet."""


def measure(url, chromium):
    """Return Lighthouse's report of a page on a simulated phone."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [*shlex.split(LIGHTHOUSE), url, "--quiet", "--output=json"]
        command += [f"--output-path={report}", f"--only-categories={','.join(LIMITS)}"]
        command += ["--chrome-flags=--headless=new --no-sandbox"]
        subprocess.run(command, check=True, env={**os.environ, "CHROME_PATH": chromium})
        return json.loads(report.read_text(encoding="utf-8"))


def main(slugs):
    """Measure the pages and print a table; return the exit status."""
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not chromium or not shutil.which("npx"):
        print("Lighthouse needs Chromium and Node.js on this machine.", file=sys.stderr)
        return 1
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), StaticHost)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pages = [f"chapters/{slug}.html" for slug in slugs]
    pages = pages or sorted(str(page.relative_to(HTML)) for page in HTML.glob("chapters/*.html"))
    status = 0
    print(f"{'page':36}" + "".join(f"{category:>16}" for category in LIMITS) + "     MB")
    for page in pages:
        report = measure(f"http://127.0.0.1:{server.server_port}{PREFIX}{page}", chromium)
        scores = {name: round(100 * report["categories"][name]["score"]) for name in LIMITS}
        weight = report["audits"]["total-byte-weight"]["numericValue"] / 1e6
        print(f"{page:36}" + "".join(f"{score:16}" for score in scores.values()) + f"{weight:7.2f}")
        for category, score in scores.items():
            if score < LIMITS[category]:
                status = 1
                for part in report["categories"][category]["auditRefs"]:
                    audit = report["audits"][part["id"]]
                    if part["weight"] and audit["score"] is not None and audit["score"] < 0.9:
                        value = audit.get("displayValue", "")
                        print(f"    {category}: {audit['title']} {value}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
