"""Every chapter of the book keeps the rules, and every rule objects when it is broken."""

import re

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from output_check.rules import RULES, Chapter, complaints
from tools.chapters import ROOT, chapters
from tools.normalise import colab_source, normalise, text
from tools.stored import DIGEST, OUTPUTS_OF, hash_sources

SLUGS = [path.stem for path in chapters()]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.mark.parametrize("slug", SLUGS)
def test_chapter_keeps_the_rules(slug):
    found = complaints(Chapter.read(ROOT / "chapters" / f"{slug}.ipynb"))
    assert not found, "\n".join(
        f"{slug}: {reason}" for reasons in found.values() for reason in reasons
    )


def test_table_of_contents():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    files = [entry["file"] for part in contents["parts"] for entry in part["chapters"]]
    assert contents["root"] == "chapters/intro"
    assert files[-1] == "chapters/glossary", "the glossary is the last page"
    for file in files:
        # An address is permanent, and a number in it would bind it to a place in the order.
        assert re.fullmatch(r"chapters/[a-z]+(-[a-z]+)*", file), f"{file}: words and hyphens only"
        assert any((ROOT / file).with_suffix(end).exists() for end in (".ipynb", ".md")), file
    assert len(files) == len(set(files))


def test_figures_have_names_and_alt_texts_of_their_own():
    """Labels are one name space in the book, and an alt text that serves twice describes nothing."""
    seen = {}
    for slug in SLUGS:
        for cell in Chapter.read(ROOT / "chapters" / f"{slug}.ipynb").code:
            settings = cell.metadata.get("mystnb", {})
            for value in (
                settings.get("figure", {}).get("name"),
                settings.get("image", {}).get("alt"),
            ):
                assert value is None or value not in seen, f"{slug} and {seen[value]}: {value!r}"
                seen[value] = slug


# A chapter in miniature that keeps every rule ------------------------------------------------------

TITLE = """\
# A title

After this chapter you can tell a good chapter from a bad one.

- **You need:** nothing.
- **You will learn:** the rules.
- **Time:** 1 minutes to read, about 1 seconds to run on two cores.
"""
SECTION = """\
## The question

Words, $k < d$, and an equation:

$$L = \\lVert x - \\hat x \\rVert^2. \\tag{1}$$

It costs 5 $ or `x[0]{1}`, see [this chapter](good.ipynb).

> **Predict.** What comes next?
>
> - a dot <!-- ✓ 1 -->
> - nothing
"""
CLOSING = """\
## What can go wrong

A lot.

## Take-aways

- One.
- Two.
- Three.

## Quiz

""" + "\n\n".join(
    f"<details>\n<summary>Question {n} with <em>stress</em>?</summary>\n\nAnswer {n}, $x^{n}$.\n\n</details>"
    for n in (1, 2, 3)
)
EXERCISES = "## Exercises\n\n**Exercise 1 (★, short code): a first step.** Do it. Expected: 1."
READING = """\
## Further reading

- [Somebody 2020](https://doi.org/10.1000/1): the first to do it,
  and short.
- [Else 2021](https://arxiv.org/abs/2101.00001): the opposite view.
"""
FIGURE = {
    "figure": {"caption": "A dot, as large as it gets.", "name": "fig-good-dot"},
    "image": {"alt": "A single dark dot in an empty frame, so there is nothing more to see here."},
}


def stream(words):
    return new_output("stream", name="stdout", text=words)


def figure():
    data = {"image/png": PIXEL, "text/plain": "<Figure size 1x1>", DIGEST: "figure: {}"}
    return new_output("display_data", data=data)


def good_chapter():
    """Return a notebook that keeps every rule, in its normal form."""
    solution = '# @title Solution 1\nclaim("one is one", 1 == 1)'
    notebook = new_notebook(
        cells=[
            new_markdown_cell(TITLE.strip()),
            new_code_cell("from helpers import claim, set_up\n\nset_up()"),
            new_markdown_cell(SECTION.strip()),
            new_code_cell("dot", metadata={"mystnb": FIGURE}, outputs=[figure()]),
            new_code_cell(
                '# @title How this was checked\nclaim("it holds", True)',
                metadata={"tags": ["hide-input"], "cellView": "form"},
                outputs=[stream("✓ it holds\n")],
            ),
            new_markdown_cell(CLOSING),
            new_markdown_cell(EXERCISES),
            new_code_cell(
                solution,
                metadata={"tags": ["hide-cell"], "cellView": "form"},
                outputs=[stream("✓ one is one\n")],
            ),
            new_markdown_cell(READING.strip()),
        ]
    )
    notebook = normalise(notebook, "good")
    for count, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), start=1):
        cell.execution_count = count
    return notebook


@pytest.fixture(autouse=True)
def _chapter_folder(tmp_path, monkeypatch):
    """Let the good chapter's link to itself resolve, without a file in the book."""
    monkeypatch.setattr(
        "output_check.rules.chapter_exists",
        lambda name: name == "good.ipynb" or (ROOT / "chapters" / name).exists(),
    )


def with_picture_first(notebook):
    """Change the good chapter into the form that begins with a picture of the result; return it."""
    cells = notebook.cells
    puzzle = "Can a rule tell a good chapter from a bad one before anybody has read it?"
    sentence, listed = cells[0].source.split("\n\n", 2)[1:]
    cells[0].source = f"# A title\n\n{puzzle}"
    cells[2].source = f"# @title Set-up: imports and data\n{cells[2].source}"
    cells[2].metadata |= nbformat.from_dict({"tags": ["hide-cell"], "cellView": "form"})
    dot = cells.pop(4)
    dot.source = "# @title How this picture was drawn\ndot"
    dot.metadata |= nbformat.from_dict({"tags": ["hide-input"], "cellView": "form"})
    cells.insert(3, dot)
    cells.insert(4, new_markdown_cell(f"{sentence}\n\n{listed}"))
    cells[:] = normalise(notebook, "good").cells
    for count, cell in enumerate((c for c in cells if c.cell_type == "code"), start=1):
        cell.execution_count = count
    return notebook


def test_good_chapter_has_no_complaints():
    assert complaints(Chapter.of(good_chapter(), "good")) == {}
    assert complaints(Chapter.of(with_picture_first(good_chapter()), "good")) == {}


@pytest.mark.parametrize(
    "words",
    [
        "*Budget: one pass · tuned on: validation, rates by doubling · seeds: 0 to 4*",
        "*Budget: one pass for\neach · tuned on: nobody · seeds: 3*",
        "Each has a budget.",
    ],
)
def test_a_race_in_its_form_is_accepted(words):
    notebook = good_chapter()
    put(3, words)(notebook)
    assert complaints(Chapter.of(notebook, "good")) == {}


@pytest.mark.parametrize(("cells", "folded"), [(55, 0), (40, 30)])
def test_as_many_cells_as_are_allowed(cells, folded):
    notebook = good_chapter()
    add_cells(cells - len(notebook.cells) + 3, folded - 2)(
        notebook
    )  # three are folded already, one claims
    assert "cell_count" not in complaints(Chapter.of(notebook, "good"))


def replace(index, old, new, count=1):
    """Return a change that replaces words in a cell."""

    def change(notebook):
        cell = notebook.cells[index]
        assert old in cell.source
        cell.source = cell.source.replace(old, new, count)

    return change


def put(index, text_):
    """Return a change that adds a paragraph to a Markdown cell."""
    return lambda notebook: notebook.cells[index].update(
        source=f"{notebook.cells[index].source}\n\n{text_}"
    )


def metadata(index, **values):
    """Return a change that sets a cell's metadata."""
    return lambda notebook: notebook.cells[index].metadata.update(nbformat.from_dict(values))


def figure_setting(part, key, value):
    """Return a change of the figure's caption, name or alt text."""
    return lambda notebook: notebook.cells[4].metadata.mystnb[part].update({key: value})


def store(index, *outputs):
    """Return a change of a cell's stored outputs."""
    return lambda notebook: notebook.cells[index].update(outputs=list(outputs))


def delete(index):
    """Return a change that deletes a cell."""
    return lambda notebook: notebook.cells.pop(index)


def add_cells(shown, folded=0):
    """Return a change that adds empty cells."""

    def change(notebook):
        tags = [[]] * shown + [["hide-input"]] * folded
        notebook.cells += [new_code_cell("", metadata={"tags": tag}) for tag in tags]

    return change


def picture_first(change):
    """Return a change of the good chapter in the form that begins with a picture."""
    return lambda notebook: change(with_picture_first(notebook))


def state_minutes(minutes, words):
    """Return a change of the minutes that a chapter states, and of the number of its words."""

    def change(notebook):
        replace(0, "1 minutes", f"{minutes} minutes")(notebook)
        put(3, "word " * words)(notebook)

    return change


def error_output():
    return new_output("error", ename="ValueError", evalue="no", traceback=[])


MUTANTS = {
    "title_cell": {
        "no title": replace(0, "# A title", "A title"),
        "no sentence": replace(
            0, "After this chapter you can tell a good chapter from a bad one.\n\n", ""
        ),
        "no needs": replace(0, "**You need:**", "You need:"),
        "another order": replace(
            0,
            "**You need:** nothing.\n- **You will learn:**",
            "**You will learn:** a.\n- **You need:**",
        ),
        "vague time": replace(0, "1 minutes to read", "a while to read"),
        "a list too far down": lambda notebook: (
            notebook.cells.insert(6, new_markdown_cell(notebook.cells[0].source.partition("- ")[2]))
            or notebook.cells[0].update(source="# A title\n\nA sentence.")
        ),
    },
    "first_picture": {
        name: picture_first(change)
        for name, change in {
            "a word for a puzzle": replace(
                0,
                "Can a rule tell a good chapter from a bad one before anybody has read it?",
                "Why?",
            ),
            "a long story": replace(0, "before", "before " * 30),
            "the list before the picture": lambda notebook: notebook.cells.insert(
                3, notebook.cells.pop(4)
            ),
            "set-up without its name": replace(2, "# @title Set-up", "# @title Imports"),
            "set-up open": metadata(2, tags=["hide-input"]),
            "set-up open in Colab": metadata(2, cellView="both"),
            "no set-up": replace(2, "set_up()", "pass"),
            "picture without its name": replace(3, "# @title How this picture was drawn\n", ""),
            "picture's code open": metadata(3, tags=[]),
            "no picture": store(3, stream("a dot")),
            "trained for": put(3, "model.fit(x)"),
            "a list without its sentence": replace(4, "After this chapter you can", "You can"),
        }.items()
    },
    "races": {
        "no tuning": put(3, "*Budget: one pass · seeds: 0 to 4*"),
        "no seeds": put(3, "*Budget: one pass · tuned on: validation*"),
        "an empty part": put(3, "*Budget: one pass · tuned on: · seeds: 3*"),
        "another order": put(3, "*Budget: one pass · seeds: 3 · tuned on: validation*"),
        "not marked": put(3, "Budget: one pass · tuned on: validation · seeds: 3"),
        "bold": put(3, "**Budget: one pass · tuned on: validation · seeds: 3**"),
        "with a sentence behind": put(3, "*Budget: a · tuned on: b · seeds: c* Now look."),
    },
    "cell_count": {"too many": add_cells(49), "too many folded": add_cells(30, 32)},
    "minutes": {
        "too few": state_minutes(10, 4000),
        "too many": state_minutes(30, 4000),
        "a long chapter": state_minutes(45, 45 * 225),
    },
    "headings": {
        "two titles": put(3, "# Another"),
        "skipped level": put(3, "#### Deep"),
        "no section on what can go wrong": replace(6, "## What can go wrong", "## Pitfalls"),
        "quiz before take-aways": replace(6, "## Quiz", "## Take-aways"),
        "something after the reading": put(9, "## More"),
        "no lesson": replace(3, "## The question\n\n", ""),
    },
    "take_aways": {
        "two": replace(6, "- Three.\n", ""),
        "six": replace(6, "- Three.\n", "- 3.\n- 4.\n- 5.\n- 6.\n"),
    },
    "further_reading": {
        "no link": replace(9, "[Else 2021](https://arxiv.org/abs/2101.00001)", "Else 2021"),
        "no reason": replace(9, ": the opposite view", ""),
        "no list": replace(9, "- [", "[", 2),
    },
    "predictions": {
        "no question": replace(3, "> **Predict.** What comes next?", "What comes next?"),
        "another callout": put(3, "> **Tip.** Try it."),
        "a plain quotation": put(3, "> Somebody said it."),
        "one option": replace(3, "\n> - nothing", ""),
        "five options": replace(3, "> - nothing", "> - 1\n> - 2\n> - 3\n> - nothing"),
        "no option measured": replace(3, " <!-- ✓ 1 -->", ""),
        "two options measured": replace(3, "> - nothing", "> - nothing <!-- ✓ 1 -->"),
        "a claim that is not there": replace(3, "✓ 1", "✓ 2"),
        "no answer": replace(5, "How this was checked", "Checked"),
        "the answer in another section": put(3, "### An interlude"),
        "a heading before the answer": lambda notebook: notebook.cells.insert(
            5, new_markdown_cell("Words.\n\n### An interlude")
        ),
        "a second question before the answer": put(3, "> **Predict.** And?\n>\n> - a\n> - b"),
    },
    "quiz": {
        "two questions": replace(6, "<details>\n<summary>Question 1", "<summary>Question 1"),
        "no blank line": replace(6, "</summary>\n\n", "</summary>\n"),
        "Markdown in HTML": replace(6, "<em>stress</em>", "`code`"),
        "not closed": replace(6, "\n\n</details>", ""),
        "no summary": replace(
            6, "<summary>Question 2 with <em>stress</em>?</summary>", "Question 2"
        ),
    },
    "exercise_form": {
        "without a purpose": replace(7, ": a first step", ""),
        "without what to do": replace(7, ", short code", ""),
        "no words after the heading": replace(7, " Do it. Expected: 1.", ""),
        "one of two in another form": put(7, "**Exercise 2.** Do more."),
    },
    "exercises": {
        "none": replace(7, "**Exercise 1 (★, short code): a first step.** ", ""),
        "numbered from 2": replace(7, "Exercise 1", "Exercise 2"),
        "too hard": replace(7, "(★", "(★★★★"),
        "starts hard": replace(7, "(★", "(★★"),
        "no solution": delete(8),
        "solution not titled": replace(8, "# @title Solution 1\n", ""),
        "solution of another": replace(8, "Solution 1", "Solution 2"),
        "solution not folded": metadata(8, tags=["hide-input"]),
        "solution not folded in Colab": metadata(8, cellView="both"),
        "solution shows nothing": replace(8, 'claim("one is one", 1 == 1)', "1 == 1"),
        "solution without output": store(8),
    },
    "executed": {
        "never run": lambda notebook: notebook.cells[4].update(execution_count=None),
        "out of order": lambda notebook: notebook.cells[4].update(execution_count=7),
    },
    "outputs": {
        "stderr": store(2, new_output("stream", name="stderr", text="a warning")),
        "error": store(2, error_output()),
        "escape code": store(2, stream("\x1b[31mred\x1b[0m")),
        "progress bar": store(2, stream("1/2\r2/2")),
        "speed": store(2, stream("step 3 12ms/step")),
        "path": store(2, stream("saved to /home/me/model.keras")),
        "address": store(2, stream("<object at 0x7f1234567890>")),
        "script": store(2, new_output("display_data", data={"application/javascript": "1"})),
        "widget": store(
            2, new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {}})
        ),
        "another type": store(2, new_output("display_data", data={"image/svg+xml": "<svg/>"})),
    },
    "plain_markdown": {
        "fence": put(3, ":::{note}\nHello\n:::"),
        "directive": put(3, "```{note}\nHello\n```"),
        "role": put(3, "See {ref}`fig-good-dot`."),
        "label": put(3, "(here)=\n### Here"),
        "substitution": put(3, "Version {{ version }}."),
        "attribute": put(3, "A [span]{.wide}."),
        "block break": put(3, "+++"),
        "unpaired math": put(3, "$$ x = 1"),
        "image": put(3, "![a dot](dot.png)"),
        "HTML image": put(3, '<img src="dot.png">'),
        "HTML": put(3, "<div>\n\nHello\n\n</div>"),
        "inline HTML": put(3, "a <span>b</span>"),
        "HTML attribute": put(6, "<details open='1'>\n\n</details>"),
        "comment": put(3, "<!-- later -->"),
        "attachment": lambda notebook: notebook.cells[3].update(
            attachments={"a.png": {"image/png": PIXEL}}
        ),
    },
    "numbers": {"bound to nothing": put(3, "The network saves 12.5 % of the error.")},
    "links": {
        "dead": replace(3, "good.ipynb", "better.ipynb"),
        "to a page": replace(3, "good.ipynb", "good.html"),
        "out of the chapters": replace(3, "good.ipynb", "../README.md"),
        "insecure": replace(9, "https://doi", "http://doi"),
        "to an anchor": replace(3, "good.ipynb", "good.ipynb#the-question"),
    },
    "figures": {
        "no settings": lambda notebook: notebook.cells[4].metadata.pop("mystnb"),
        "no caption": figure_setting("figure", "caption", ""),
        "caption like a slug": figure_setting("figure", "caption", "fig-good-dot"),
        "no name": figure_setting("figure", "name", ""),
        "name without prefix": figure_setting("figure", "name", "dot"),
        "no alt": figure_setting("image", "alt", ""),
        "alt like a slug": figure_setting("image", "alt", "good-dot"),
        "short alt": figure_setting("image", "alt", "A plot of it."),
        "alt repeats caption": figure_setting("image", "alt", FIGURE["figure"]["caption"]),
        "two figures": store(4, figure(), figure()),
        "the same again": lambda notebook: notebook.cells.insert(
            5, nbformat.from_dict(notebook.cells[4] | {"id": "again"})
        ),
    },
    "claims": {
        "without its outcome": store(5),
        "one of two holds": replace(5, 'claim("it holds", True)', 'claim("a", 1)\nclaim("b", 1)'),
        "does not hold": store(5, stream("– not so on the fallback data: it holds\n")),
        "open": metadata(5, tags=[]),
        "open in Colab": metadata(5, cellView="both"),
        "without its name": replace(5, "# @title How this was checked\n", ""),
        "beside a result": replace(5, 'claim("', 'print(1)\nclaim("'),
        "beside a drawing": replace(5, 'claim("', 'plot_images(x)\nclaim("'),
        "none": lambda notebook: [
            replace(5, "claim", "print")(notebook),
            replace(8, "claim", "print")(notebook),
        ],
    },
    "lesson": {
        "a print among few lines": replace(2, "set_up()", 'set_up()\nprint("ready")'),
        "a drawing of several lines": replace(2, "set_up()", "set_up()\nax.plot(\n    1,\n);"),
    },
    "set_up_cell": {
        "missing": delete(1),
        "moved": lambda notebook: notebook.cells.insert(3, notebook.cells.pop(1)),
        "another address": replace(1, "https://github.com/", "https://github.com/x"),
        "prints": store(1, stream("done")),
        "no set_up()": replace(2, "set_up()", "pass"),
    },
    "code_width": {"long": put(4, "# " + "word " * 18)},
    "normal_form": {
        "an editor's metadata": metadata(4, collapsed=True),
        "a random id": lambda notebook: notebook.cells[4].update(id="0a1b2c3d"),
        "language version": lambda notebook: notebook.metadata.language_info.update(version="3.11"),
    },
    "size": {"huge": store(2, stream("x" * 1_650_000))},
}


@pytest.mark.parametrize(
    ("rule", "name"), [(rule, name) for rule, changes in MUTANTS.items() for name in changes]
)
def test_rule_objects(rule, name):
    notebook = good_chapter()
    MUTANTS[rule][name](notebook)
    assert rule in complaints(Chapter.of(notebook, "good"))


def test_every_rule_is_broken_once():
    assert {rule.__name__ for rule in RULES} == set(MUTANTS)


# The normal form -----------------------------------------------------------------------------------


def test_normalising_twice_changes_nothing():
    once = normalise(good_chapter(), "good")
    assert text(normalise(once, "good")) == text(once)


def test_normalising_leaves_sources_outputs_and_counts_alone():
    before = good_chapter()
    after = normalise(before, "good")
    for old, new in zip(before.cells, after.cells, strict=True):
        assert (old.source, old.get("outputs"), old.get("execution_count")) == (
            new.source,
            new.get("outputs"),
            new.get("execution_count"),
        )


def test_a_digest_is_stored_line_by_line():
    notebook = good_chapter()
    notebook.cells[4].outputs[0].data[DIGEST] = "figure: {}\naxes: {}\n  Line2D: {}"
    lines = [line.strip() for line in text(notebook).splitlines() if "Line2D" in line]
    assert lines == ['"  Line2D: {}"']
    assert nbformat.reads(text(notebook), as_version=4) == notebook


def test_new_cells_get_readable_ids_that_stay():
    notebook = good_chapter()
    notebook.cells.insert(3, new_markdown_cell("## A new section"))
    notebook.cells.insert(4, new_markdown_cell("## A new section"))
    ids = [cell.id for cell in normalise(notebook, "good").cells]
    assert ids[3:5] == ["a-new-section", "a-new-section-2"]
    notebook = normalise(notebook, "good")
    notebook.cells[3].source = "## Renamed"
    assert [cell.id for cell in normalise(notebook, "good").cells] == ids


def test_a_new_address_keeps_the_stored_outputs_valid(monkeypatch):
    notebook = good_chapter()
    notebook.metadata[OUTPUTS_OF] = hash_sources(notebook)
    monkeypatch.setattr(
        "tools.normalise.repository_url", lambda root=ROOT: "https://github.com/you/fork"
    )
    moved = normalise(notebook, "good")
    assert "github.com/you/fork" in moved.cells[1].source
    assert moved.metadata[OUTPUTS_OF] == hash_sources(moved)


def test_a_notebook_without_title_is_refused():
    with pytest.raises(ValueError, match="good: the first cell must be Markdown"):
        normalise(new_notebook(), "good")


# The set-up cell, run as Colab and others would run it ----------------------------------------------


def run_set_up(monkeypatch, *, found, returncode):
    """Run the set-up cell with a pretended pip; return the commands it gave."""
    commands = []

    def pretend(command, **options):
        commands.append(command)
        return type("Result", (), {"returncode": returncode, "stderr": "ERROR: no network\n"})

    monkeypatch.setattr("subprocess.run", pretend)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: found)
    exec(colab_source(), {})
    return commands


def test_set_up_does_nothing_outside_colab(monkeypatch, capsys):
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    assert run_set_up(monkeypatch, found=None, returncode=1) == []
    assert capsys.readouterr() == ("", "")


def test_set_up_installs_the_helpers_alone_and_in_silence(monkeypatch, capsys):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab")
    (command,) = run_set_up(monkeypatch, found=None, returncode=0)
    assert "--no-deps" in command
    assert re.fullmatch(r"autoencoders-measured @ git\+https://\S+@v\d+\.\d+\.\d+", command[-1])
    assert capsys.readouterr() == ("", "")


def test_set_up_does_not_install_twice(monkeypatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab")
    assert run_set_up(monkeypatch, found=object(), returncode=1) == []


def test_set_up_says_what_to_do_offline(monkeypatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab")
    with pytest.raises(RuntimeError, match=r"Is this runtime online\?(.|\n)*ERROR: no network"):
        run_set_up(monkeypatch, found=None, returncode=1)
