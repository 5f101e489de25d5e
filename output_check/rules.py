"""What a chapter must look like: one function per rule, each yielding complaints in plain words.

tests/test_chapters.py applies the rules to every chapter of the book, and to a small good chapter
that it then breaks in many ways, to see every rule object.
"""

import ast
import json
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import nbformat
from markdown_it import MarkdownIt

from output_check import prose
from tools.chapters import EXERCISE, ROOT, find_list, is_folded, reading_minutes
from tools.normalise import COLAB_ID, colab_source, normalise, text
from tools.stored import code_cells, reasons_not_to_store

LAST_SECTIONS = ["What can go wrong", "Take-aways", "Quiz", "Exercises", "Further reading"]
HTML_TAGS = {"details", "summary", "em", "strong", "code"}
MOST_BYTES = 1.65e6  # without its explorers
CODE_WIDTH = 88  # characters, as in _static/book.css
MOST_CELLS, MOST_WITH_FOLDED = 55, 70
MOST_MINUTES = 40  # to read
PUZZLE = range(40, 201)  # characters of the sentence under the title, in the new form
TIME = re.compile(r"\*\*Time:\*\* (\d+) minutes to read, about \d+ seconds to run on two cores\.")
CHECKED = re.compile(r"# ?@title How this was checked\n")  # as _static/predict.js finds it
MEASURED = re.compile(r"<!-- ✓ (\d+(?:, \d+)*) -->$")  # likewise
UNSEEN = re.compile(rf'<span id="[\w-]+">|</span>|{MEASURED.pattern}')  # anchors, measured options
# Calls that claim, print, show or draw; helpers do it under names that begin with plot_, draw_, show_.
SHOWS = re.compile(
    r"(claim|print|display|(plot|draw|show)_\w+)$|(plt|fig|ax|axes|axis|left|right|figure)\b(?!\()"
)
# The line that says on what terms a comparison was made.
BUDGET = re.compile(r"\*Budget: [^*]*\w[^*]* · tuned on: [^*]*\w[^*]* · seeds: [^*]*\w[^*]*\*")
# MyST, which Colab and Jupyter would show as it is.
MYST = {
    r"^\s*:::": "a ':::' fence",
    r"```\s*\{": "a directive",
    r"\{[a-z][\w:-]*\}`": "a role",
    r"^\([\w-]+\)=\s*$": "a label",
    r"\{\{.*?\}\}": "a substitution",
    r"\]\{[.#]|`\{[.#]|^\{[.#]": "an attribute",
    r"^\+\+\+": "a block break",
}


@dataclass
class Chapter:
    """A notebook with its name, and what several rules need to know of it."""

    notebook: nbformat.NotebookNode
    slug: str
    file_text: str

    @classmethod
    def read(cls, path):
        """Read a chapter's file."""
        content = path.read_text(encoding="utf-8")
        return cls(nbformat.reads(content, as_version=4), path.stem, content)

    @classmethod
    def of(cls, notebook, slug):
        """Wrap a notebook that is not in a file."""
        return cls(notebook, slug, text(notebook))

    @property
    def cells(self):
        """All cells."""
        return self.notebook.cells

    @property
    def code(self):
        """The code cells."""
        return code_cells(self.notebook)

    @property
    def markdown(self):
        """The Markdown cells."""
        return [cell for cell in self.cells if cell.cell_type == "markdown"]

    @cached_property
    def headings(self):
        """Pairs (level, title), in order."""
        found = []
        for cell in self.markdown:
            tokens = parse_markdown(cell.source)
            for token, inline in pairwise(tokens):
                if token.type == "heading_open":
                    found.append((int(token.tag[1]), inline.content))
        return found

    def section(self, title):
        """Return the Markdown of the section with this title, up to the next of its level."""
        source = "\n\n".join(cell.source for cell in self.markdown)
        match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", source, re.M | re.S)
        return match[1] if match else ""


def parse_markdown(source):
    """Return the tokens of a Markdown cell, read as Colab and Jupyter read it, without its math."""
    source = re.sub(r"\$\$.*?\$\$", "MATH", source, flags=re.S)
    source = re.sub(r"(?<![\\$])\$(?!\s)[^$\n]+?(?<!\s)\$(?!\d)", "MATH", source)
    return MarkdownIt("commonmark").enable("table").parse(source)


def flatten(tokens):
    """Yield all tokens, with those inside paragraphs and headings."""
    for token in tokens:
        yield token
        yield from flatten(token.children or [])


def place(cell):
    """Name a cell in a complaint."""
    return f"cell {cell.id}"


def title_cell(chapter):
    """Title and one sentence; there or below the first picture what the reader needs, learns, spends."""
    source = chapter.cells[0].source
    lines = [line for line in source.split("\n") if line.strip()]
    if not re.match(r"# \S", source):
        yield "the first cell must begin with '# Title'"
    if len(lines) < 2 or re.match(r"[-*|#>]|\*\*", lines[1]):
        yield "the title must be followed by a sentence: a puzzle, or what the reader will be able to do"
    _, listed = find_list(chapter.cells)
    places = [listed.find(f"**{word}:**") for word in ("You need", "You will learn", "Time")]
    if -1 in places or places != sorted(places):
        yield (
            "one of the first five cells must have **You need:**, **You will learn:**, **Time:**, "
            "in this order"
        )
    elif not TIME.search(listed):
        yield "the time must read 'N minutes to read, about M seconds to run on two cores.'"


def first_picture(chapter):
    """Below the title: folded set-up, a picture of the result, then what the reader will learn.

    A chapter whose list stands in its first cell has the older form, and may keep it.
    """
    number, listed = find_list(chapter.cells)
    if number == 0:
        return
    sentence = " ".join(chapter.cells[0].source.partition("\n")[2].split())
    if len(sentence) not in PUZZLE:
        yield (
            f"the puzzle under the title has {len(sentence)} characters; "
            f"{PUZZLE.start} to {PUZZLE.stop - 1} are wanted"
        )
    if number != 4:
        yield f"title, Colab's cell, set-up, picture, then the list: it is cell {number}, not 4"
        return
    set_up, picture = chapter.cells[2:4]
    for cell, title, tag in (
        (set_up, "Set-up", "hide-cell"),
        (picture, "How this picture was drawn", "hide-input"),
    ):
        if not re.match(rf"# @title {title}", cell.source) or cell.cell_type != "code":
            yield f"{place(cell)}: a code cell is wanted that begins with '# @title {title}'"
        if tag not in cell.metadata.get("tags", []) or cell.metadata.get("cellView") != "form":
            yield f"{place(cell)}: it must be folded (the tag {tag}, and cellView: form)"
    if not re.search(r"^set_up\(", set_up.source, re.M):
        yield f"{place(set_up)}: set_up() is called here"
    if not any("image/png" in output.get("data", {}) for output in picture.get("outputs", [])):
        yield f"{place(picture)}: the first picture shows a result of the chapter, and there is none"
    if re.search(r"\bfit\(", picture.source):
        yield f"{place(picture)}: the first picture is there before anything is trained"
    if not re.match(r"After this chapter you can \S", listed):
        yield f"{place(chapter.cells[number])}: it begins with 'After this chapter you can …'"


def races(chapter):
    """A comparison names its budget, who was tuned and on what, and its seeds, in one line."""
    for cell in chapter.markdown:
        for paragraph in re.split(r"\n\s*\n", cell.source):
            line = " ".join(paragraph.split())
            if re.match(r"[*_>\s]*Budget\b", line) and not BUDGET.fullmatch(line):
                yield (
                    f"{place(cell)}: a race is '*Budget: … · tuned on: … · seeds: …*', a paragraph "
                    f"of its own, not {line[:60]!r}"
                )


def numbers(chapter):
    """Every number that the prose reports follows from an output or the code, or is quoted."""
    flaws = prose.find_prose_flaws(chapter.notebook, prose.read(prose.path_of(chapter.slug)))
    advice = f"; if that is meant: python -m output_check.prose {chapter.slug}"
    yield from (flaw + advice for flaw in flaws)


def cell_count(chapter):
    """A chapter is one lesson: not too many cells."""
    shown = sum(not is_folded(cell) for cell in chapter.cells)
    if shown > MOST_CELLS:
        yield f"{shown} cells that are not folded; at most {MOST_CELLS} are allowed"
    others = sum(not CHECKED.match(cell.source) for cell in chapter.cells)
    if others > MOST_WITH_FOLDED:
        yield f"{others} cells, folded ones but no claims included; {MOST_WITH_FOLDED} are allowed"


def minutes(chapter):
    """The time to read is what the book's rule estimates, to a quarter or five minutes; not too long."""
    if not (stated := TIME.search(find_list(chapter.cells)[1])):
        return  # `title_cell` says so
    stated, estimate = int(stated[1]), reading_minutes(chapter.notebook)
    if stated > MOST_MINUTES:
        yield f"{stated} minutes to read; at most {MOST_MINUTES} are allowed"
    if abs(stated - estimate) > max(5, estimate / 4):
        yield f"{stated} minutes to read are stated; the rule in CONTRIBUTING.md gives {estimate:.0f}"


def headings(chapter):
    """One title, no skipped level, and the five closing sections in their order."""
    levels = [level for level, _ in chapter.headings]
    if levels.count(1) != 1:
        yield f"a chapter has one '# ' heading, this one has {levels.count(1)}"
    for (before, _), (level, title) in pairwise(chapter.headings):
        if level > before + 1:
            yield f"the heading {title!r} skips a level"
    sections = [title for level, title in chapter.headings if level == 2]
    if sections[-len(LAST_SECTIONS) :] != LAST_SECTIONS:
        yield f"the last sections must be {LAST_SECTIONS}, not {sections[-len(LAST_SECTIONS) :]}"
    elif len(sections) == len(LAST_SECTIONS):
        yield "there is no section before 'What can go wrong'"


def take_aways(chapter):
    """Three to five take-aways."""
    count = len(re.findall(r"^[-*] ", chapter.section("Take-aways"), re.M))
    if not 3 <= count <= 5:
        yield f"3 to 5 take-aways are wanted, as a list; there are {count}"


def further_reading(chapter):
    """A list of links, each with a clause that says why to read it."""
    items = re.findall(r"^[-*] (.*(?:\n(?![-*] ).+)*)", chapter.section("Further reading"), re.M)
    if not items:
        yield "further reading must be a list"
    for item in items:
        if not re.match(r".*\]\(https://.+\).*:\s*\S", item, re.S):
            yield f"further reading needs a link and, after a colon, why to read it: {item[:60]!r}"


def predictions(chapter):
    """Callouts are Note, Predict or Careful; a Predict has options, and claims say which was measured.

    That option ends with a comment, which no page shows, with the numbers of these claims among the
    lines of the cell that answers: `<!-- ✓ 2, 3 -->`.
    """
    asked = 0
    for number, cell in enumerate(chapter.cells):
        if cell.cell_type != "markdown":
            continue
        tokens = parse_markdown(cell.source)
        for i, token in enumerate(tokens):
            if token.type != "blockquote_open":
                continue
            close = next(j for j in range(i, len(tokens)) if tokens[j].type == "blockquote_close")
            first = tokens[i + 2].content
            if not re.match(r"\*\*(Note|Predict|Careful)\.\*\* \S", first):
                yield f"a callout begins with **Note.**, **Predict.** or **Careful.**: {first[:50]!r}"
            if not first.startswith("**Predict.**"):
                continue
            asked += 1
            options = sum(inner.type == "list_item_open" for inner in tokens[i:close])
            if not 2 <= options <= 4:
                yield f"2 to 4 options as a list are wanted, not {options}: {first[:50]!r}"
            answer = find_answer(tokens[close:], chapter.cells[number + 1 :])
            if answer is None:
                yield f"no cell of claims answers in this section: {first[:50]!r}"
                continue
            marks = [mark for inner in tokens[i:close] for mark in MEASURED.findall(inner.content)]
            claims = "".join(output.get("text", "") for output in answer.outputs).count("✓")
            if len(marks) != 1 or not all(0 < int(n) <= claims for n in marks[0].split(", ")):
                yield f"one option ends with <!-- ✓ numbers of {claims} claims -->: {first[:50]!r}"
    if not asked:
        yield "no **Predict.** question"


def find_answer(rest, cells):
    """Return the cell of claims before the next heading or question; _static/predict.js looks alike."""
    for cell in cells:
        if any(token.type == "heading_open" for token in rest):
            return None
        if any("**Predict.**" in token.content for token in rest):
            return None
        if cell.cell_type == "code" and CHECKED.match(cell.source):
            return cell
        rest = parse_markdown(cell.source) if cell.cell_type == "markdown" else []
    return None


def quiz(chapter):
    """Three to five questions, each folded in the form that all renderers understand."""
    section = chapter.section("Quiz")
    blocks = re.findall(r"<details>.*?(?:</details>|\Z)", section, re.S)
    if not 3 <= len(blocks) <= 5:
        yield f"3 to 5 quiz questions are wanted; there are {len(blocks)}"
    for block in blocks:
        if not re.fullmatch(
            r"<details>\s*<summary>[^\n`]+</summary>\n\n\S.*?\n\n</details>", block, re.S
        ):
            yield (
                "a quiz question is <details>, <summary>question</summary> (HTML: no `), a blank line, the answer, "
                f"a blank line, </details>: {block[:70]!r}"
            )


def exercise_form(chapter):
    """An exercise says at its start what to do and what it is for; the page for teachers lists it."""
    for cell in chapter.markdown:
        for start in re.finditer(r"^\*\*Exercise\b.*", cell.source, re.M):
            if not EXERCISE.match(cell.source, start.start()):
                yield (
                    "an exercise begins as in '**Exercise 1 (★, short code): what it is for.** Words', "
                    f"not {start[0][:60]!r}"
                )


def exercises(chapter):
    """Exercises 1..n, ★ to ★★★, each followed by its folded solution, which shows a result."""
    found = []  # [number, stars, the code cells up to the next exercise]
    for cell in chapter.cells:
        if cell.cell_type == "markdown":
            for match in EXERCISE.finditer(cell.source):
                found.append((int(match["number"]), len(match["stars"]), []))
        elif found:
            found[-1][2].append(cell)
    if [number for number, *_ in found] != list(range(1, len(found) + 1)) or not found:
        yield f"exercises must be numbered from 1 on; found {[number for number, *_ in found]}"
    stars = [stars for _, stars, _ in found]
    if stars and (stars != sorted(stars) or stars[0] != 1 or stars[-1] > 3):
        yield f"exercises go from ★ to ★★★; found {stars}"
    for number, _, cells in found:
        if not cells:
            yield f"exercise {number} has no solution"
            continue
        cell = cells[0]
        if not re.match(rf"# ?@title Solution {number}\n", cell.source):
            yield f"the solution's first line must be '# @title Solution {number}': {place(cell)}"
        if "hide-cell" not in cell.metadata.get("tags", []):
            yield f"solution {number} must have the tag hide-cell"
        if cell.metadata.get("cellView") != "form":
            yield f"solution {number} must have the metadata cellView: form"
        if not re.search(r"\b(claim|print)\(", cell.source) or not cell.outputs:
            yield f"solution {number} must end in a claim or a printed result"


def executed(chapter):
    """Every code cell was run, from top to bottom, in a fresh kernel."""
    counts = [cell.execution_count for cell in chapter.code]
    if counts != list(range(1, len(counts) + 1)):
        yield f"cells must be executed in order, 1 to {len(counts)}; the counts are {counts}"


def outputs(chapter):
    """Nothing stored that no two runs share: stderr, escape codes, bars, speeds, paths."""
    for cell in chapter.code:
        for output in cell.outputs:
            for reason in reasons_not_to_store(output):
                yield f"{place(cell)}: {reason}"


def plain_markdown(chapter):
    """Markdown that reads well in Colab and Jupyter: no MyST, no images, hardly any HTML."""
    for cell in chapter.markdown:
        prose = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", "", cell.source, flags=re.S)
        for pattern, name in MYST.items():
            if re.search(pattern, prose, re.M):
                yield f"{place(cell)}: {name}, which only MyST understands"
        if cell.source.replace(r"\$", "").count("$$") % 2:
            yield f"{place(cell)}: an unpaired $$"
        for token in flatten(parse_markdown(cell.source)):
            if token.type == "image" or "<img" in token.content:
                yield f"{place(cell)}: an image; pictures come from code cells"
            if token.type in ("html_block", "html_inline"):
                html = UNSEEN.sub("", token.content)
                for tag in set(re.findall(r"</?([a-zA-Z][\w-]*)", html)) - HTML_TAGS - {"img"}:
                    yield f"{place(cell)}: the HTML tag <{tag}>"
                if re.search(r"<\w+\s[^>]*=|<!--", html):
                    yield f"{place(cell)}: HTML with attributes or comments"
        if cell.get("attachments"):
            yield f"{place(cell)}: an attachment; pictures come from code cells"


def chapter_exists(name):
    """Say whether a file is there among the chapters."""
    return (ROOT / "chapters" / name).exists()


def links(chapter):
    """Links lead to https addresses or to files of chapters that are there."""
    for cell in chapter.markdown:
        for token in flatten(parse_markdown(cell.source)):
            if token.type != "link_open":
                continue
            href = token.attrGet("href")
            if href.startswith("https://"):
                continue
            name, _, anchor = href.partition("#")
            if anchor or not re.fullmatch(r"[\w-]+\.(ipynb|md)", name):
                yield f"{place(cell)}: link to {href!r}; only https or another chapter's file"
            elif not chapter_exists(name):
                yield f"{place(cell)}: link to {href!r}, which does not exist"


def figures(chapter):
    """Every figure has a numbered caption, a label, and an alt text worth hearing."""
    names, alts = [], []
    for cell in chapter.code:
        pictures = sum("image/png" in output.get("data", {}) for output in cell.outputs)
        settings = cell.metadata.get("mystnb", {})
        if not pictures and not settings.get("figure"):
            continue
        caption = settings.get("figure", {}).get("caption", "").strip()
        name = settings.get("figure", {}).get("name", "")
        alt = settings.get("image", {}).get("alt", "").strip()
        names.append(name)
        alts.append(alt)
        if pictures > 1:
            yield f"{place(cell)}: {pictures} figures in a cell, which would share one caption"
        if not re.fullmatch(r"fig-[a-z0-9]+(-[a-z0-9]+)*", name):
            yield f"{place(cell)}: the figure needs a name such as fig-linear-gap, not {name!r}"
        if not is_sentence(caption):
            yield f"{place(cell)}: the caption must be a sentence: {caption!r}"
        if not is_sentence(alt) or len(alt.split()) < 8:
            yield f"{place(cell)}: the alt text must say what is seen and what it means: {alt!r}"
        if alt and alt.casefold() == caption.casefold():
            yield f"{place(cell)}: the alt text repeats the caption"
    for kind, values in (("name", names), ("alt text", alts)):
        for value in {value for value in values if values.count(value) > 1}:
            yield f"two figures have the same {kind}: {value!r}"


def is_sentence(words):
    """Say whether a string reads as a sentence rather than as a label or a slug."""
    return bool(re.match(r"\S+ \S+ \S+", words)) and words[-1] in ".?!…"


def claims(chapter):
    """Claims stand in folded cells of their own, and are stored with their outcome, which is ✓."""
    total = 0
    for cell in chapter.code:
        count = len(re.findall(r"^\s*(?:\w+ = )?claim\(", cell.source, re.M))
        stored = "".join(output.get("text", "") for output in cell.outputs)
        held = len(re.findall(r"^✓ ", stored, re.M))
        if held < count:
            yield f"{place(cell)}: {count} claims, but {held} stored ✓"
        total += count
        if not count or re.match(r"# ?@title Solution ", cell.source):
            continue  # a solution may do everything in one cell
        folded = "hide-input" in cell.metadata.get("tags", [])
        if not (CHECKED.match(cell.source) and folded and cell.metadata.get("cellView") == "form"):
            yield f"{place(cell)}: claims are folded (hide-input, cellView) as 'How this was checked'"
        others = {name for name, _ in shown_calls(cell.source)} - {"claim"}
        if others:
            yield f"{place(cell)}: a cell of claims only claims; it calls {sorted(others)}"
    if not total:
        yield "the chapter claims nothing"


def shown_calls(source):
    """Yield what code calls to claim, print, show or draw: pairs (name, number of its lines)."""
    for node in ast.walk(ast.parse(re.sub(r";$", "", source, flags=re.M))):
        if isinstance(node, ast.Expr | ast.Assign) and isinstance(node.value, ast.Call):
            name = ast.unparse(node.value.func)
            if SHOWS.match(name):
                yield name, node.end_lineno - node.lineno + 1


def lesson(chapter):
    """Of ten lines of code that are visible without opening anything, nine are the lesson.

    A line is none if it belongs to a statement that claims, prints, shows or draws.
    """
    lines, others = 0, {}
    for cell in chapter.code:
        if not is_folded(cell):
            lines += sum(bool(line.strip()) for line in cell.source.split("\n"))
            for name, count in shown_calls(cell.source):
                others[name] = others.get(name, 0) + count
    if sum(others.values()) > 0.1 * lines:
        yield f"{sum(others.values())} of {lines} visible lines of code are no lesson: {others}"


def set_up_cell(chapter):
    """The generated set-up cell for Colab comes right after the title and is up to date."""
    cell = chapter.cells[1] if len(chapter.cells) > 1 else None
    if cell is None or cell.id != COLAB_ID:
        yield "the Colab set-up cell must come right after the title; run 'make format'"
    elif cell.source != colab_source():
        yield "the Colab set-up cell is out of step with _config.yml; run 'make format'"
    elif cell.outputs:
        yield "the Colab set-up cell must print nothing"
    if not any(re.search(r"^set_up\(", c.source, re.M) for c in chapter.code):
        yield "the chapter does not call set_up()"


def code_width(chapter):
    """Code fits the column of a page; the generated set-up cell is folded."""
    for cell in chapter.code:
        if cell.id == COLAB_ID:
            continue
        for line in cell.source.split("\n"):
            if len(line) > CODE_WIDTH:
                yield f"{place(cell)}: {len(line)} characters, {CODE_WIDTH} fit: {line.strip()}"


def normal_form(chapter):
    """The file is in its normal form, so that a diff shows changes and nothing else."""
    try:
        expected = text(normalise(chapter.notebook, chapter.slug))
    except ValueError as error:
        yield str(error)
        return
    if chapter.file_text != expected:
        yield "the notebook is not in its normal form; run 'make format'"


def size(chapter):
    """A chapter stays small enough for a phone and for git; explorers have a limit of their own."""
    outputs = [output.get("data", {}) for cell in chapter.code for output in cell.outputs]
    pages = ["".join(data.get("text/html", "")) for data in outputs]
    parts = [chapter.notebook, *(page for page in pages if "<script" in page)]
    stored, *explorers = [len(json.dumps(part, ensure_ascii=False).encode()) for part in parts]
    if (rest := stored - sum(explorers)) > MOST_BYTES:
        yield f"the notebook has {rest / 1e6:.2f} MB, {MOST_BYTES / 1e6} MB are allowed"


RULES = [
    title_cell,
    first_picture,
    races,
    numbers,
    cell_count,
    minutes,
    headings,
    take_aways,
    further_reading,
    predictions,
    quiz,
    exercise_form,
    exercises,
    executed,
    outputs,
    plain_markdown,
    links,
    figures,
    claims,
    lesson,
    set_up_cell,
    code_width,
    normal_form,
    size,
]


def complaints(chapter):
    """Return all complaints about a chapter as {rule name: [complaint, ...]}, empty if it is good."""
    found = {rule.__name__: list(rule(chapter)) for rule in RULES}
    return {name: reasons for name, reasons in found.items() if reasons}
