"""`make changes` shows every kind of change in a small repository, and nothing where there is none."""

import base64
import io
import json
import subprocess

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from tools.changes import DIGEST, main
from tools.text_diff import Number, compare_text, read_html

CURVE = 'Line2D: {"label":"train","color":"#3577c5ff","points":[[0.1,0.5],[0.2,0.7]]}'
TABLE = "<table><tr><th>model</th><th>MSE</th></tr><tr><td>PCA</td><td>0.0157</td></tr></table>"


def picture(colour):
    file = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def figure(colour="red", digest=f'axes: {{"titles":["Loss"]}}\n  {CURVE}', kind=DIGEST):
    data = {"image/png": picture(colour), "text/plain": "<Figure>", kind: digest}
    return new_output("display_data", data=data)


def stream(text):
    return new_output("stream", name="stdout", text=text)


@pytest.fixture
def repository(tmp_path):
    """A git repository with one chapter and one results file, on the branch main."""
    alt = {"mystnb": {"image": {"alt": "A falling curve."}}}
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# Title\n\nWords.", id="title"),
            new_code_cell("a = 1", id="numbers", outputs=[stream("PCA  0.01271\nAE   0.02, 7\n")]),
            new_code_cell("plot()", id="curve", metadata=alt, outputs=[figure()]),
            new_code_cell(
                "table",
                id="table",
                outputs=[new_output("execute_result", data={"text/html": TABLE, "text/plain": ""})],
            ),
        ]
    )
    for folder in ("chapters", "studies/results"):
        (tmp_path / folder).mkdir(parents=True)
    nbformat.write(notebook, tmp_path / "chapters/one.ipynb")
    (tmp_path / "studies/results/tied.json").write_text(
        '{"rows": [{"mse": 0.5, "n": 3}], "on": true}'
    )
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    commit(tmp_path)
    return tmp_path


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder):
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=state")


def change(folder, **cells):
    """Change cells of the chapter: `cell_id=function(cell)`."""
    path = folder / "chapters/one.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.id in cells:
            cells[cell.id](cell)
    nbformat.write(notebook, path)


def store(*outputs):
    return lambda cell: cell.update(outputs=list(outputs))


def report(folder, *names):
    """Write the report; return its page, and its text with single spaces."""
    assert main(list(names), root=folder) == 0
    page = BeautifulSoup((folder / "_build/changes/index.html").read_text("utf-8"), "html.parser")
    return page, " ".join(page.body.get_text().split())


def test_nothing_changed(repository, capsys):
    page, text = report(repository)
    assert "Nothing changed" in text
    assert "nothing changed" in capsys.readouterr().out
    assert not page.find("table")


def test_changed_number_is_marked_with_its_relative_change(repository, capsys):
    change(repository, numbers=store(stream("PCA  0.01265\nAE   0.02, 7\n")))
    page, text = report(repository)
    assert "0.01271 → 0.01265 (-0.5 %)" in text
    assert "outputs changed: 1, numbers changed: 1" in text
    assert [b.get_text() for b in page.select(".diff b")] == ["0.01271", "0.01265"]
    assert page.select_one("tr.same").get_text().count("AE   0.02, 7") == 2
    assert page.find(id="chapters/one.ipynb--numbers")
    assert "0.01271 → 0.01265 (-0.5 %)  in numbers" in capsys.readouterr().out


def test_changed_words_are_shown_without_a_false_number(repository):
    change(repository, numbers=store(stream("PCA  0.01271\nCNN  0.9, 7\n")))
    page, text = report(repository)
    assert "numbers changed" not in text
    assert {b.get_text() for b in page.select(".diff b")} >= {"AE", "CNN"}


def test_lines_added_and_gone(repository):
    change(repository, numbers=store(stream("new\nAE   0.02, 7\n")))
    page, _ = report(repository)
    rows = [[cell.get_text() for cell in row("td")] for row in page.select(".diff tr")[1:]]
    assert rows == [["PCA  0.01271", "new"], ["AE   0.02, 7"] * 2]


def test_changed_figure_is_beside_the_old_one_with_what_moved(repository):
    moved = f'axes: {{"titles":["Error"]}}\n  {CURVE.replace("0.7", "0.75")}'
    change(repository, curve=store(figure("blue", moved)))
    page, text = report(repository)
    sources = [image["src"].removeprefix("data:image/png;base64,") for image in page("img")]
    assert sources == [picture("red"), picture("blue")]
    assert [image["alt"] for image in page("img")] == [
        "Old: A falling curve.",
        "New: A falling curve.",
    ]
    assert "axes: titles" in text
    assert "Line2D train: points (1 numbers, by 0.05 at most)" in text


def test_of_an_older_digest_only_pictures_are_compared(repository):
    change(repository, curve=store(figure("red", {"axes": []}, f"{DIGEST}+json")))
    page, text = report(repository)
    assert "digests of an older form are not compared" in text
    assert "outputs changed" not in text
    change(repository, curve=store(figure("blue", {"axes": []}, f"{DIGEST}+json")))
    page, _ = report(repository)
    assert len(page("img")) == 2


def test_table_is_compared_through_its_text(repository):
    html = TABLE.replace("0.0157", "0.0160")
    change(
        repository,
        table=store(new_output("execute_result", data={"text/html": html, "text/plain": ""})),
    )
    page, text = report(repository)
    assert "0.0157 → 0.0160 (+1.9 %)" in text
    assert "PCA 0.0160" in text
    assert not page.find("td", string="PCA")


def test_html_that_differs_only_in_a_script_is_not_passed_over(repository):
    data = {"text/html": f"{TABLE}<script>1</script>", "text/plain": ""}
    change(repository, table=store(new_output("execute_result", data=data)))
    assert "What is not text differs" in report(repository)[1]


def test_edited_added_and_removed_cells(repository):
    path = repository / "chapters/one.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source = "a = 2"
    notebook.cells[2].metadata = {"mystnb": {"image": {"alt": "A rising curve."}}}
    notebook.cells[3] = new_code_cell("print(3)", id="fresh", outputs=[stream("3\n")])
    nbformat.write(notebook, path)
    page, text = report(repository)
    assert "code cells changed: 2, code cells added: 1, code cells removed: 1" in text
    for name, status in (("fresh", "added"), ("table", "removed"), ("numbers", "changed")):
        heading = page.find(id=f"chapters/one.ipynb--{name}")
        assert heading.find_next("p").get_text().strip() == f"code cell, {status}"
    assert "Output: nothing before, stdout now" in text
    assert "Output: HTML before, nothing now" in text
    assert [b.get_text() for b in page.select(".diff b")] == ["1", "2", "falling", "rising"]


def test_edited_words_are_folded(repository):
    change(repository, title=lambda cell: cell.update(source="# Title\n\nOther words."))
    page, text = report(repository)
    assert "markdown cells changed: 1" in text
    assert not page.find("details").has_attr("open")
    assert "Other words." in page.find("details").get_text()


def test_order_of_cells(repository):
    path = repository / "chapters/one.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(notebook.cells.pop(1))
    nbformat.write(notebook, path)
    assert "order of cells changed" in report(repository)[1]


def test_added_and_removed_chapters(repository):
    (repository / "chapters/one.ipynb").rename(repository / "chapters/two.ipynb")
    page, text = report(repository)
    assert "chapters/one.ipynb removed" in text
    assert "chapters/two.ipynb added" in text
    assert len(page("img")) == 2


def test_results_files(repository, capsys):
    path = repository / "studies/results/tied.json"
    path.write_text(json.dumps({"rows": [{"mse": 0.4, "n": 3}, {"mse": 1}], "on": False}))
    (repository / "benchmarks/results").mkdir(parents=True)
    (repository / "benchmarks/results/time.json").write_text('{"seconds": 1}')
    _, text = report(repository)
    assert "numbers changed: 1, values added: 1, texts and switches changed: 1" in text
    assert "0.5 → 0.4 (-20.0 %) in rows.0.mse" in text
    assert "benchmarks/results/time.json added: values added: 1" in text
    assert "in rows.0.mse" in capsys.readouterr().out


def test_a_release_lists_the_results_that_moved(repository):
    notes = repository / "_build/changes/results.md"
    report(repository)
    assert notes.read_text() == "## Results that moved since main\n\nNone.\n"
    lines = "".join(f"{n} {2 * n}.5\n" for n in range(1, 31))
    change(
        repository,
        numbers=lambda cell: cell.update(outputs=[stream("PCA  0.0120\nAE   0.02, 7\n")]),
    )
    report(repository)
    assert notes.read_text().splitlines()[2:] == [
        "**one**",
        "",
        "- 0.01271 → 0.0120 (-5.6 %), in `numbers`",
    ]
    change(repository, numbers=lambda cell: cell.update(outputs=[stream(lines)]))
    git(repository, "commit", "--quiet", "--all", "--message=many")
    change(
        repository, numbers=lambda cell: cell.update(outputs=[stream(lines.replace(".5", ".9"))])
    )
    report(repository)
    text = notes.read_text().splitlines()
    assert len(text) == 2 + 2 + 20 + 1
    assert text[-1] == "- and 10 more, by 0.9% at most"


def test_largest_change_comes_first(repository):
    path = repository / "chapters/one.ipynb"
    (repository / "chapters/zwei.ipynb").write_text(path.read_text())
    commit(repository)
    change(repository, numbers=store(stream("PCA  0.01270\nAE   0.03, 7\n")))
    path = repository / "chapters/zwei.ipynb"
    path.write_text(path.read_text().replace("0.01271", "0.09"))
    page, _ = report(repository, "HEAD")
    assert [h.get_text() for h in page("h2")] == ["chapters/zwei.ipynb", "chapters/one.ipynb"]
    listed = [item.get_text().split(" in")[0].strip() for item in page("ol")[1]("li")]
    assert listed == ["0.02 → 0.03 (+50.0 %)", "0.01271 → 0.01270 (-0.1 %)"]


def test_nothing_of_a_notebook_runs_or_becomes_markup(repository):
    bad = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'"
    change(
        repository,
        title=lambda cell: cell.update(source=bad),
        numbers=lambda cell: cell.update(source=bad, outputs=[stream(bad)]),
        curve=lambda cell: cell.update(
            metadata={"mystnb": {"image": {"alt": f'">{bad}'}}},
            outputs=[figure("blue", f"x: {{}}\n{bad}")],
        ),
        table=store(
            new_output("display_data", data={"text/html": bad, "image/png": '" onerror="x'})
        ),
    )
    page, text = report(repository)
    assert not page("script")
    assert {image["src"][:21] for image in page("img")} == {"data:image/png;base64"}
    assert not page(onerror=True)
    assert "<script>alert(1)</script>" in text
    assert "default-src 'none'" in page.find("meta", {"http-equiv": True})["content"]


def test_base_is_another_reference_or_missing(repository, capsys):
    git(repository, "tag", "v1")
    change(repository, numbers=store(stream("PCA  0.5\n")))
    commit(repository)
    assert "Nothing changed" in report(repository)[1]
    assert "0.01271" in report(repository, "v1")[1]
    git(repository, "branch", "--move", "work")
    assert main([], root=repository) == 1
    assert "make changes BASE=" in capsys.readouterr().err
    assert main(["--output=x"], root=repository) == 1
    git(repository, "update-ref", "refs/remotes/origin/main", "v1")
    assert "Compared with origin/main" in report(repository)[1]


def test_a_base_that_is_ahead_is_pointed_out(repository):
    change(repository, numbers=store(stream("PCA  0.5\n")))
    commit(repository)
    git(repository, "checkout", "--quiet", "-b", "behind", "HEAD~1")
    assert "The base has 1 commits that are not in this tree" in report(repository)[1]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("0.01271", "0.01265", "0.01271 → 0.01265 (-0.5 %)"),
        ("1,000", "2,000", "1,000 → 2,000 (+100.0 %)"),
        ("−0.2", "0.2", "−0.2 → 0.2 (+200.0 %)"),
        ("0", "1", "0 → 1 (it was 0)"),
        ("1e-3", "1.0001e-3", "1e-3 → 1.0001e-3 (+0.01 %)"),
    ],
)
def test_numbers_in_words(old, new, words):
    assert str(Number(old, new)) == words


def test_wider_columns_are_no_change_of_numbers():
    (row,) = compare_text("a  1.25  3", "a  1.2    3")
    assert [str(number) for number in row.numbers] == ["1.25 → 1.2 (-4.0 %)"]


def test_a_line_put_in_does_not_shift_the_others():
    rows = compare_text("a 1\nb 2\nc 3", "new\na 1\nb 4\nc 3")
    assert [row.changed for row in rows] == [True, False, True, False]


def test_long_texts_show_only_what_is_near_a_change():
    lines = [f"line {n}" for n in range(100)]
    rows = compare_text("\n".join(lines), "\n".join([*lines[:50], "x", *lines[51:]]))
    assert len(rows) == 7
    assert rows[0].old[0][0] == rows[-1].new[0][0] == "⋮"


def test_text_of_html():
    html = "<style>p{}</style><p>One <b>two</b></p>" + TABLE + "<script>no</script>"
    assert read_html(html).splitlines() == ["One two", "model  MSE", "PCA  0.0157"]
