"""The last pass over the built site: one small style sheet, and no script in the way of the text.

The theme's style sheets hold far more than a book uses, in many files. What no page can use is
left out, and the rest becomes one file.
"""

import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

import tinycss2

LINK = re.compile(r'<link [^>]*?href="([^"]+\.css)(?:\?[^"]*)?"[^>]*rel="stylesheet"[^>]*>\s*')
LINK_TURNED = re.compile(r'<link rel="stylesheet"[^>]*? href="([^"]+\.css)(?:\?[^"]*)?"[^>]*>\s*')
SCRIPT = re.compile(r'<script[^>]*? src="([^"?]+)')
OPTIONS = re.compile(r'<script src="[^"]*documentation_options\.js[^"]*"></script>')
OWN_FILE = "katex.min.css"  # only for pages with formulas
# A rule that shows a letter of the icon font, which the book does not load: book.css draws icons.
GLYPH = re.compile(r'content:\s*"[\ue000-\uf8ff]"')
GROUPS = {"media", "supports"}


def words_of(folder, pages):
    """Return every class, id and word that a page's markup or a script of it could name."""
    words, scripts = set(), set()
    for path, text in pages.items():
        words |= set(re.findall(r"[\w-]+", " ".join(re.findall(r'(?:class|id)="([^"]*)"', text))))
        for code in re.findall(r"<script>(.*?)</script>", text, re.DOTALL):
            words |= set(re.findall(r"[\w-]+", code))
        for address in SCRIPT.findall(text):
            scripts.add(local(folder, path, address))
    for script in filter(Path.is_file, scripts):
        words |= set(re.findall(r"[\w-]+", script.read_text(encoding="utf-8")))
    return words


def local(folder, path, address):
    """Return the file behind an address in a page."""
    name = urlsplit(address).path
    if name.startswith("/"):  # the 404 page's addresses begin with the site's folder
        return folder / name.partition("/_static/")[1].lstrip("/") / name.partition("/_static/")[2]
    return (path.parent / name).resolve()


def selectable(selector, words):
    """Say whether the classes and ids that a selector asks for are among the words.

    What stands in brackets (":not(...)", ":has(...)") is not looked at.
    """
    before = None
    for token in selector:
        if token.type == "ident" and before == "." and token.value not in words:
            return False
        if token.type == "hash" and token.value not in words:
            return False
        before = token.value if token.type == "literal" else None
    return True


def trimmed(rules, words):
    """Return the rules that can apply to a page, as text."""
    kept = []
    for rule in rules:
        if rule.type == "qualified-rule":
            parts = [[]]
            for token in rule.prelude:
                if token.type == "literal" and token.value == ",":
                    parts.append([])
                else:
                    parts[-1].append(token)
            parts = [tinycss2.serialize(part).strip() for part in parts if selectable(part, words)]
            content = tinycss2.serialize(rule.content).strip()
            if parts and not GLYPH.match(content):
                kept.append(f"{','.join(parts)}{{{content}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword in GROUPS:
            inside = tinycss2.parse_rule_list(
                rule.content, skip_comments=True, skip_whitespace=True
            )
            if inside := trimmed(inside, words):
                name, condition = rule.lower_at_keyword, tinycss2.serialize(rule.prelude).strip()
                kept.append(f"@{name} {condition}{{{inside}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword not in ("charset", "import"):
            text = rule.serialize()
            if "Awesome" not in text:
                kept.append(text)
        elif rule.type == "error":
            raise ValueError(f"a style sheet cannot be read: {rule.message}")
    return "\n".join(kept)


def read(path):
    """Return a style sheet with those that it imports, without comments."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    imports = re.findall(r'@import\s+"([^"]+)"', text)
    return "".join(read((path.parent / name).resolve()) for name in imports) + text


def finish(app, error):
    """Write one style sheet for the whole site, and link it in every page."""
    if error or app.builder.format != "html":
        return
    folder = Path(app.outdir).resolve()
    paths = [path for path in folder.rglob("*.html") if "_static" not in path.parts]
    pages = {path: path.read_text(encoding="utf-8") for path in paths}
    pages = {path: text for path, text in pages.items() if 'rel="stylesheet"' in text}
    words = words_of(folder, pages)
    options = (folder / "_static" / "documentation_options.js").read_text(encoding="utf-8")
    sheets = {}

    def sheet(files):
        """Return the name of the trimmed style sheet that is made of these."""
        if files not in sheets:
            text = "".join(read(file) for file in files)
            rules = tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)
            text = trimmed(rules, words)
            name = f"_static/book-{hashlib.sha256(text.encode()).hexdigest()[:12]}.css"
            (folder / name).write_text(text, encoding="utf-8")
            sheets[files] = name
        return sheets[files]

    for old in (folder / "_static").glob("book-*.css"):
        old.unlink()
    for path, text in pages.items():
        head, body = text.split("</head>", 1)
        # Without scripts nothing chooses the colours, so the light ones are there from the start.
        head = head.replace('data-theme="auto"', 'data-theme="light"', 1)
        found = sorted(
            [*LINK.finditer(head), *LINK_TURNED.finditer(head)], key=lambda match: match.start()
        )
        found = [match for match in found if OWN_FILE not in match[1]]
        prefix = found[0][1].partition("_static/")[0]
        name = sheet(tuple(local(folder, path, match[1]) for match in found))
        for match in reversed(found[1:]):
            head = head[: match.start()] + head[match.end() :]
        first = found[0]
        link = f'<link rel="stylesheet" href="{prefix}{name}" />\n'
        head = head[: first.start()] + link + head[first.end() :]
        # Short, and wanted at once: in the page it costs no request.
        head = OPTIONS.sub(lambda _: f"<script>{options}</script>", head)
        path.write_text(f"{head}</head>{body}", encoding="utf-8")


def setup(app):
    """Run when all pages are written."""
    app.connect("build-finished", finish, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
