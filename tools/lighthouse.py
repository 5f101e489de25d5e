"""Measure the built pages with Lighthouse on a slow phone: `python -m tools.lighthouse [slug ...]`.

The pages are served compressed, as GitHub Pages serves them. Needs Node.js (npx fetches
Lighthouse, or the one that LIGHTHOUSE names is used) and Chromium. Fails below the book's limits.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.browser import CHROMIUM
from tools.serve import HTML, serve

LIMITS = {"performance": 90, "accessibility": 100, "best-practices": 100, "seo": 100}
LIGHTHOUSE = os.environ.get("LIGHTHOUSE", "npx --yes lighthouse@12.8.2")


def measure(url):
    """Return Lighthouse's report of a page on a simulated phone."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [*shlex.split(LIGHTHOUSE), url, "--quiet", "--output=json"]
        command += [f"--output-path={report}", f"--only-categories={','.join(LIMITS)}"]
        command += ["--chrome-flags=--headless=new --no-sandbox"]
        subprocess.run(command, check=True, env={**os.environ, "CHROME_PATH": CHROMIUM})
        return json.loads(report.read_text(encoding="utf-8"))


def report_on(page, report):
    """Print a page's scores, and what costs it points; return whether it keeps the limits."""
    scores = {name: round(100 * report["categories"][name]["score"]) for name in LIMITS}
    weight = report["audits"]["total-byte-weight"]["numericValue"] / 1e6
    print(f"{page:36}" + "".join(f"{score:16}" for score in scores.values()) + f"{weight:7.2f}")
    low = [category for category, score in scores.items() if score < LIMITS[category]]
    for category in low:
        for part in report["categories"][category]["auditRefs"]:
            audit = report["audits"][part["id"]]
            if part["weight"] and audit["score"] is not None and audit["score"] < 0.9:
                print(f"    {category}: {audit['title']} {audit.get('displayValue', '')}")
    return not low


def main(slugs):
    """Measure the pages and print a table; return the exit status."""
    if not CHROMIUM or not shutil.which("npx"):
        print("Lighthouse needs Chromium and Node.js on this machine.", file=sys.stderr)
        return 1
    pages = [f"chapters/{slug}.html" for slug in slugs]
    pages = pages or sorted(str(page.relative_to(HTML)) for page in HTML.glob("chapters/*.html"))
    print(f"{'page':36}" + "".join(f"{category:>16}" for category in LIMITS) + "     MB")
    with serve(as_published=True) as address:
        passed = [report_on(page, measure(address + page)) for page in pages]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
