"""Every built page, first as text, then in a real browser: light and dark, wide and narrow.

The pages are served under the path that GitHub Pages gives them, by a server that answers as a
static host does. The browser is the system's Chromium, or the one that CHROMIUM names.
"""

import functools
import gzip
import importlib.metadata
import itertools
import re
import unicodedata
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pypdfium2 as pdfium
import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup, Comment
from playwright.sync_api import expect

from tools.chapters import ROOT, chapters
from tools.normalise import repository_url
from tools.serve import HTML, PREFIX, serve

PAGES = sorted(
    str(path.relative_to(HTML))
    for path in HTML.rglob("*.html")
    if "_static" not in path.parts and path.name != "index.html"
)
TEXTS = [page for page in PAGES if page.startswith("chapters/")]
# What a test of one page depends on; what the page alone uses of `parts` and `_images` is named by its
# content.
ALONE = pytest.mark.depends_on(
    "_build/html/{page}",
    *(f"_build/html/_static/{files}" for files in ("*", "styles/*", "scripts/*")),
    *("tools/browser.py", "tools/serve.py"),
)
WIDTHS = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 390, "height": 844}}


def test_the_pages_are_built_from_the_sources_as_they_are():
    """The page with the chapter list is written at every build, so its time is the build's."""
    built = HTML / "chapters" / "intro.html"
    assert built.exists(), "the pages are not built; run 'make book', or 'make test' for everything"
    folders = ("_static", "_templates", "_ext")
    sources = [path for folder in folders for path in (ROOT / folder).rglob("*.*")]
    sources = [path for path in sources if "__pycache__" not in path.parts]
    sources += [
        ROOT / "_config.yml",
        ROOT / "_toc.yml",
        *chapters(),
        *(ROOT / "chapters").glob("*.md"),
    ]
    late = [
        str(path.relative_to(ROOT))
        for path in sources
        if path.stat().st_mtime > built.stat().st_mtime
    ]
    assert not late, f"changed after the pages were built: {late}; run 'make book'"


# As text -------------------------------------------------------------------------------------------


CODE, SPAN = re.compile(r"<pre\b.*?</pre>", re.DOTALL), re.compile(r"</?span\b[^>]*>")


def markup(page):
    """Return a page as it is written; pytest asks it of all pages, and to parse those takes a second."""
    return (HTML / page).read_text(encoding="utf-8")


@functools.cache
def soup(page):
    """Return a page, parsed; its code without the colours, which are five tags in six."""
    plain = CODE.sub(lambda code: SPAN.sub("", code[0]), markup(page))
    return BeautifulSoup(plain, "html.parser")


@functools.cache
def targets(page):
    """Return the anchors of a page."""
    return {tag["id"] for tag in soup(page).find_all(id=True)}


def references(page):
    """Yield (tag, address) for everything a page links to or loads."""
    for tag in soup(page).find_all(["a", "link", "script", "img", "source", "iframe", "form"]):
        for attribute in ("href", "src", "action"):
            if tag.get(attribute):
                yield tag, tag[attribute]


@pytest.mark.parametrize("page", [*PAGES, "index.html"])
def test_links_and_anchors_resolve(page):
    dead = []
    for _tag, address in references(page):
        if urlsplit(address).scheme in ("http", "https", "mailto", "data"):
            continue
        place, anchor = urldefrag(urljoin(PREFIX + page, address))
        path = unquote(urlsplit(place).path)
        if not path.startswith(PREFIX):
            dead.append(address)
            continue
        name = path.removeprefix(PREFIX) or "index.html"
        if not (HTML / name).is_file() or (
            anchor and name.endswith(".html") and unquote(anchor) not in targets(name)
        ):
            dead.append(address)
    assert not dead, f"{page}: {sorted(set(dead))}"


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_loaded_from_another_host(page):
    loading = [
        address
        for tag, address in references(page)
        if urlsplit(address).netloc
        and (
            tag.name in ("script", "img", "source", "iframe")
            or tag.get("rel") in (["stylesheet"], ["icon"])
        )
    ]
    assert not loading, f"{page}: {loading}"


def test_the_first_page_leads_to_the_introduction():
    refresh = soup("index.html").find("meta", attrs={"http-equiv": "Refresh"})
    assert refresh["content"].endswith("url=chapters/intro.html")


@pytest.mark.parametrize("page", TEXTS)
def test_head(page):
    """What search engines and link previews show of a page."""
    head = soup(page).head
    assert soup(page).html["lang"] == "en"
    descriptions = [tag["content"] for tag in head.find_all("meta", attrs={"name": "description"})]
    assert len(descriptions) == 1, descriptions
    assert 40 <= len(descriptions[0]) <= 200, descriptions
    cards = {tag["property"]: tag["content"] for tag in head.find_all("meta", property=True)}
    assert cards["og:description"] == descriptions[0]
    assert cards["og:site_name"] == "Autoencoders, Measured"
    canonical = head.find("link", rel="canonical")["href"]
    assert canonical == cards["og:url"]
    assert canonical.endswith(f".github.io{PREFIX}{page}")
    image = urlsplit(cards["og:image"]).path.removeprefix(PREFIX)
    assert (HTML / image).is_file(), cards["og:image"]
    assert cards["og:title"], cards
    assert f"<loc>{canonical}</loc>" in (HTML / "sitemap.xml").read_text()


@pytest.mark.parametrize("page", TEXTS)
def test_headings_are_in_order(page):
    levels = [int(tag.name[1]) for tag in soup(page).article.find_all(re.compile("^h[1-6]$"))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), levels


@pytest.mark.parametrize("page", TEXTS)
def test_images_have_alt_text_and_a_size(page):
    for index, image in enumerate(soup(page).article.find_all("img")):
        assert image.get("alt"), image
        assert image.get("width"), image
        assert image.get("height"), image
        assert index == 0 or image.get("loading") == "lazy", image


@pytest.mark.parametrize("page", TEXTS)
def test_a_page_loads_what_it_needs_and_no_more(page):
    scripts = [tag["src"] for tag in soup(page).find_all("script", src=True)]
    unwanted = "mathjax|katex|thebe|fontawesome|searchindex"
    assert not [script for script in scripts if re.search(unwanted, script)], scripts
    fonts = [tag["href"] for tag in soup(page).find_all("link", rel="preload")]
    formulas = soup(page).find("math")
    assert fonts == (["../_static/formulas.woff2"] if formulas else []), fonts


@pytest.mark.parametrize("page", TEXTS)
def test_callouts_have_their_colour(page):
    """A quotation that begins with a bold word is a callout, and styled as one."""
    for quote in soup(page).article.find_all("blockquote"):
        word = quote.strong.get_text().rstrip(".").lower()
        assert f"callout-{word}" in quote.get("class", []), quote


@pytest.mark.parametrize("page", TEXTS)
def test_a_page_leads_to_its_source(page):
    """Edit and report on every page; Colab, download and worksheet on every chapter; the files are there."""
    links = {tag.get_text(): tag["href"] for tag in soup(page).select("article .page-links a")}
    chapter = (ROOT / page).with_suffix(".ipynb")
    source = chapter if chapter.exists() else chapter.with_suffix(".md")
    name = str(source.relative_to(ROOT))
    assert source.exists()
    url = repository_url()
    place = f"{urlsplit(url).path}/blob/main/{name}"
    # GitHub's own editor shows a notebook's JSON; github.dev shows the notebook.
    editor = f"https://github.dev{place}" if source == chapter else f"{url}/edit/main/{name}"
    expected = {
        "Edit": editor,
        "Report": f"{url}/issues/new?template=mistake.yml&title=In%20{name}%3A%20&page={name}",
    }
    if source == chapter:
        expected |= {
            "Open in Colab": f"https://colab.research.google.com/github{place}",
            "Download": f"{url}/raw/main/{name}",
            "Worksheet": f"../worksheets/{chapter.name}",
        }
    assert links == expected
    foot = [tag["href"] for tag in soup(page).select("footer .book-footer a")]
    assert foot[: len(expected)] == list(links.values())


def test_next_leads_through_the_whole_book():
    page, seen = "chapters/intro.html", []
    while page:
        seen.append(page)
        after = soup(page).select_one("a.next-page")
        page = after and urlsplit(urljoin(page, after["href"])).path
        assert page not in seen, "in a circle"
    assert sorted(seen) == TEXTS
    for before, page in itertools.pairwise(seen):
        previous = soup(page).select_one("a.prev-page")
        assert urljoin(page, previous["href"]) == before


@pytest.mark.parametrize("page", TEXTS)
def test_no_math_is_left_raw(page):
    """What the build did not take for math would show its dollars, or be set by chance only."""
    for text in soup(page).article.find_all(string=re.compile(r"\$\$|\$[^$\d\s][^$]*\$")):
        assert text.find_parent(["pre", "code", "script"]) or text.find_parent(class_="math"), text


@pytest.mark.parametrize("page", TEXTS)
def test_lines_break_well(page):
    """Not between a number and its sign, nor in a name, nor between a formula and its comma."""
    apart = r"\d [%×±]|[×±] \d|\d [–→] \d|\b[tTU]-(SNE|Net)"
    for text in soup(page).article.find_all(string=re.compile(apart)):
        assert text.find_parent(["pre", "code"]), text
    for cell in soup(page).article.select(".output.text_html td"):
        assert not re.search(r"\d (to|±) ", cell.text) or len(cell.text) > 40, cell
    for formula in soup(page).article.select("span.math"):
        assert not re.match("[.,;:!?)]", str(formula.next_sibling or "")), formula.parent


@pytest.mark.parametrize("page", TEXTS)
def test_ids_are_unique(page):
    ids = [tag["id"] for tag in soup(page).find_all(id=True)]
    assert len(ids) == len(set(ids)), {name for name in ids if ids.count(name) > 1}


@pytest.mark.parametrize("page", TEXTS)
def test_the_page_says_what_it_was_checked_with(page):
    """The versions on the page are those that this run checks the outputs with."""
    distributions = importlib.metadata.packages_distributions()  # tensorflow, or tensorflow-cpu
    tensorflow, keras = (
        importlib.metadata.version(distributions[name][0]) for name in ("tensorflow", "keras")
    )
    line = f"checked with TensorFlow {tensorflow}, Keras {keras}."
    foot = " ".join(soup(page).select_one(".book-footer").get_text().split())
    assert line in foot
    assert "CC BY 4.0, the authors of “Autoencoders, Measured”. Code: BSD 3-Clause." in foot


# In a browser --------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def address():
    """The address under which the book is served."""
    with serve() as address:
        yield address


@pytest.fixture
def visit(browser, address):
    """Return a function that opens a page as a new reader; at the end nothing may have gone wrong in it."""
    trouble, contexts = [], []

    def open_page(name, width="wide", unfolded=True, **options):
        contexts.append(browser.new_context(viewport=WIDTHS[width], **options))
        page = contexts[-1].new_page()
        page.on(
            "console",
            lambda message: (
                message.type in ("error", "warning") and trouble.append(f"console: {message.text}")
            ),
        )
        page.on("pageerror", lambda error: trouble.append(f"script: {error}"))
        page.on(
            "requestfailed",
            lambda request: (
                request.failure == "net::ERR_ABORTED"  # the page was left before it came
                or trouble.append(f"failed: {request.url}")
            ),
        )
        page.on(
            "request",
            lambda request: (
                request.url.startswith(address)
                or request.url.startswith("data:")
                or trouble.append(f"outside the book: {request.url}")
            ),
        )
        page.on(
            "response",
            lambda response: (
                response.status >= 400 and trouble.append(f"{response.status}: {response.url}")
            ),
        )
        page.goto(address + name, wait_until="load")
        if unfolded:
            unfold(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not trouble, trouble


def unfold(page):
    """Open every fold of a page, and show every answer."""
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.evaluate(SHOW_ALL)
    assert page.get_by_role("button", name="Just show me").count() == 0, "all answers are shown"
    # A browser says a moment later what is open.
    expect(page.locator(".veil")).to_have_count(0, timeout=120_000)
    page.evaluate(FINISH)


# What unfolds fades in, and is pale until it has.
FINISH = "document.getAnimations().forEach(animation => animation.finish())"
# Observers have told by then what a new size has changed.
TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
SHOW_ALL = """() => [...document.querySelectorAll('.callout-predict button')]
  .filter(button => button.textContent === 'Just show me').forEach(button => button.click())"""
OVERFLOW = """() => {
  const out = [];
  if (document.documentElement.scrollWidth > innerWidth)
    out.push(`the page is ${document.documentElement.scrollWidth} px wide`);
  for (const element of document.querySelectorAll('article :not(svg *)')) {
    const box = element.getBoundingClientRect();
    // What sticks out on the left cannot be scrolled to.
    if (box.width > 1 && box.left < -1) out.push(`${element.tagName} ${element.className} begins at ${box.left}`);
    if (!box.width || box.right <= innerWidth + 1) continue;
    // On a phone the box around the article scrolls, too.
    let parent = element, scrolls = false;
    while (!(parent = parent.parentElement).matches('article') && !scrolls)
      scrolls = ['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(parent).overflowX);
    if (!scrolls) out.push(`${element.tagName} ${element.className} sticks out to ${box.right}`);
  }
  return out.slice(0, 5);
}"""
RAW_MATH = r"""() => {
  const unset = [...document.querySelectorAll('.math')].filter(e =>
    !e.querySelector('math')?.getBoundingClientRect().width);
  const wrong = [...document.querySelectorAll('.math-core-error, merror')].map(e => e.textContent);
  const walker = document.createTreeWalker(document.querySelector('article'), NodeFilter.SHOW_TEXT);
  const raw = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.parentElement.closest('pre, code, script, math')
        && /\$\$|\$[^$\d\s][^$]*\$|\\\(|\\\[|\\(frac|hat|lVert|mathbb)\b/.test(node.data)) raw.push(node.data.trim());
  }
  return [...unset.map(e => e.textContent), ...wrong, ...raw];
}"""
GROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(0, 0, 0)"}
GROUND = "getComputedStyle(document.body).backgroundColor"
# A light box behind a picture, or a picture turned down: both spoil figures made for either ground.
BOXED = """() => [...document.querySelectorAll('article img')].filter(image => {
  const style = getComputedStyle(image);
  return style.filter !== 'none' || !/rgba\\(0, 0, 0, 0\\)|transparent/.test(style.backgroundColor);
}).map(image => image.alt)"""

# Printed lines wrap, so that a phone shows them whole; a claim is always such a line.
CUT_LINES = """() => [...document.querySelectorAll('article .cell_output pre')].flatMap(box => {
  const lines = [...box.querySelectorAll('.line')];
  const whole = lines.filter(line => line.scrollWidth <= box.clientWidth);
  const claims = box.textContent.split('\\n').filter(text => text.startsWith('✓'));
  const words = part => part.textContent.trim();
  return [...lines.filter(line => !whole.includes(line)).map(words),
    ...claims.filter(text => !whole.map(words).includes(text.trim()))];
})"""


# Contrast is the slow rule, so each kind of text is looked at once. Of tokens of code the others
# become plain text; elsewhere those are marked that have the same colour, font and grounds as one
# before, in a parent of the same colour; and what does not show.
THIN_OUT = """() => {
  const seen = new Set();
  for (const token of document.querySelectorAll('.highlight pre span[class]:not(.line)')) {
    if (seen.has(token.className)) token.replaceWith(token.textContent);
    seen.add(token.className);
  }
  const ground = (element) => {
    if (!element) return '';
    const {backgroundColor, backgroundImage, opacity} = getComputedStyle(element);
    const own = [backgroundColor, backgroundImage, opacity].join();
    return (own === 'rgba(0, 0, 0, 0),none,1' ? '' : own) + ground(element.parentElement);
  };
  const many = [...document.querySelectorAll('body *')];
  for (const element of many) {
    const {color, fontSize, fontWeight, textDecorationLine} = getComputedStyle(element);
    const around = getComputedStyle(element.parentElement).color;
    const kind = [element.localName, color, fontSize, fontWeight, textDecorationLine, around, ground(element)].join();
    const shown = element.checkVisibility({visibilityProperty: true});
    element.toggleAttribute('data-seen', !shown || seen.has(kind));
    if (shown) seen.add(kind);
  }
  // To leave out a part leaves out what it holds: only if that was all seen, too.
  for (const element of many.reverse())
    if (element.querySelector(':scope > :not([data-seen])')) element.removeAttribute('data-seen');
}"""


# What may differ between light and dark.
OF_COLOUR = ["color-contrast", "link-in-text-block"]
AXE = Axe().axe_script
VIOLATIONS = "([context, options]) => axe.run(context, options).then(found => found.violations)"


def violations(view, where="html", *, form=True, colour=True):
    """Return what axe finds in a part of a page, in its form and its colours, as sentences."""
    if view.evaluate("!window.axe"):
        view.evaluate(AXE)
    if colour:
        view.evaluate(THIN_OUT)
    rules = {
        "empty-table-header": {"enabled": False},  # the corner above names of rows
        **{name: {"enabled": False} for name in OF_COLOUR},
    }
    # preload would let axe fetch style sheets again, from wrong addresses.
    options = {"preload": False, "resultTypes": ["violations"]}
    runs = []
    if form:
        runs.append(({"include": [[where]]}, options | {"rules": rules}))
    if colour:
        # Only the outermost: axe asks of every part whether one of these holds it.
        seen = {"include": [[where]], "exclude": [[":not([data-seen]) > [data-seen]"]]}
        runs.append((seen, options | {"runOnly": OF_COLOUR}))
    return [
        f"{violation['id']} ({violation['impact']}): {node['html'][:160]}"
        for run in runs
        for violation in view.evaluate(VIOLATIONS, run)
        for node in violation["nodes"][:3]
    ]


@ALONE
@pytest.mark.parametrize("page", PAGES)
def test_page(visit, page):
    view = visit(page)
    for width, theme in itertools.product(WIDTHS, GROUNDS):
        view.set_viewport_size(WIDTHS[width])
        view.emulate_media(color_scheme=theme)
        view.evaluate(FINISH)
        view.evaluate(TWO_FRAMES)  # book.js makes what now scrolls focusable
        assert view.evaluate(GROUND) == GROUNDS[theme]
        assert view.evaluate(BOXED) == []
        if page in TEXTS:
            assert view.evaluate(RAW_MATH) == []
        assert view.evaluate(OVERFLOW) == []
        if width == "narrow":
            assert view.evaluate(CUT_LINES) == []
        # The form is the same in the dark, and the colours are on a phone.
        assert violations(view, form=theme == "light", colour=width == "wide") == []


@ALONE
@pytest.mark.parametrize("page", [page for page in TEXTS if 'class="explorer ' in markup(page)])
def test_an_explorer_comes_when_a_reader_comes_near(visit, page):
    view = visit(page, width="narrow")
    explorers = view.locator(".explorer").all()
    for explorer in explorers:  # all of them first: of a pair, the second is near when the first is
        if explorer.locator("template").count():  # large enough for a file of its own
            assert explorer.locator(".le-panel").count() == 0, "it is far down the page"
    for explorer in explorers:
        explorer.evaluate("(root) => root.scrollIntoView()")
        explorer.locator(".le-panel").wait_for()
        assert not explorer.locator(".le-still").is_visible()
    assert view.evaluate(OVERFLOW) == []
    assert violations(view, ".explorer") == []


# Guess, then look ----------------------------------------------------------------------------------

ASKING = [page for page in TEXTS if "callout-predict" in markup(page)]
UNVEILED = """() => [...document.querySelectorAll('.cell_output > :not(.veil), .answer > :not(.veil)')]
  .filter(part => getComputedStyle(part).visibility !== 'visible').length"""

# What stands open below a question, up to the next heading, question or thing to move.
TOLD = """() => [...document.querySelectorAll('.callout-predict:has(button)')].flatMap(question => {
  const told = [];
  for (let part = question; (part = part.nextElementSibling)
      && !part.matches('section, .callout-predict') && !part.querySelector('[data-explorer]');)
    told.push(...part.querySelectorAll('.cell_output > :not(.veil)'));
  return told.filter(part => getComputedStyle(part).visibility === 'visible').map(part => part.textContent);
})"""


def find_claims(tag):
    """Return the cell of claims that answers a question or a toy's fold, or None, as predict.js does."""
    for part in tag.find_next_siblings(True):
        if part.name == "section" or "callout-predict" in part.get("class", []):
            return None
        if part.summary and part.summary.get_text() == "How this was checked":
            return part
    return None


def answer_of(page, number):
    """Return the option that was measured and the claims that say so, as the page's file has them."""
    question = soup(page).select(".callout-predict")[number]
    (mark,) = question.find_all(string=lambda text: isinstance(text, Comment))
    lines = find_claims(question).select_one(".cell_output").get_text().split("\n")
    claims = [line.strip() for line in lines if line.startswith("✓")]
    numbers = mark.strip().removeprefix("✓ ").split(", ")
    return mark.find_parent("li").get_text().strip(), [claims[int(n) - 1] for n in numbers]


def find_out(view):
    """Open the folds that tell what a toy shows; return how many there are."""
    folds = view.locator("details:not([open]) > summary:text('What did you find?')")
    found = folds.count()
    for _ in range(3 * found):  # what grows meanwhile can move a fold away from under a click
        if folds.count():
            folds.first.click()
    veils = view.locator(".veil", has_text="What did you find?")
    expect(veils).to_have_count(0, timeout=120_000)  # a browser says a moment later what is open
    return found


@pytest.mark.parametrize("page", ["chapters/sparse-autoencoder.html"])
def test_a_link_leads_to_its_place_while_an_explorer_grows_above_it(visit, page):
    view = visit(page, unfolded=False)
    view.locator(".toc-tree a", has_text="What can go wrong").click()
    view.locator(".le-panel").first.wait_for(state="attached")
    there = """() => {
      const {top} = document.querySelector('#what-can-go-wrong').getBoundingClientRect();
      return 0 <= top && top < 120;
    }"""
    view.wait_for_function(there)
    view.evaluate("document.querySelector('.explorer').prepend(document.createElement('hr'))")
    view.add_style_tag(content=".explorer > hr { height: 500px; }")
    view.wait_for_function(there)


def has_toy(page):
    """Say whether a page has something to move, and a fold that tells by claims what it shows."""
    return any(
        summary.get_text().startswith("What did you find?") and find_claims(summary.parent)
        for summary in soup(page).select("details > summary")
    )


SHOWN = """(question) => {
  const texts = (query) => [...question.querySelectorAll(query)].map(part => part.innerText.trim());
  return {
    said: texts('output').join().split('\\n'),
    measured: texts('li .measured'),
    pressed: texts('[aria-pressed=true]'),
  };
}"""


@ALONE
@pytest.mark.parametrize("page", ASKING)
def test_a_reader_guesses_then_looks(visit, page):
    """Every question in turn: veiled, chosen, shown beside the measurement, kept, and asked again.

    What a toy shows is told when its fold is opened.
    """
    view = visit(page, unfolded=False)
    questions = view.locator(".callout-predict:has(button)")
    assert questions.count() == len(soup(page).select(".callout-predict ul"))
    assert violations(view, ".callout-predict, .veiled") == []
    assert view.evaluate(TOLD) == []
    # Things to move replace their still pictures when a reader comes near.
    sizes = """() => [...document.querySelectorAll('.cell_output:not(:has([data-explorer]))')]
      .map(output => output.offsetHeight)"""
    find_out(view)
    heights = view.evaluate(sizes)
    hidden = view.evaluate(UNVEILED)
    assert hidden >= questions.count()
    for number in range(questions.count()):
        question = questions.nth(number)
        options = question.locator("li button")
        assert 2 <= options.count() <= 4
        assert question.locator("output").inner_text() == ""
        chosen = options.nth(number % options.count())
        chosen.click()
        option, claims = answer_of(page, number)
        assert question.evaluate(SHOWN) == {
            "said": [f"Your guess: {chosen.inner_text().strip()}", f"Measured: {option}", *claims],
            "measured": [option],
            "pressed": [chosen.inner_text().strip()],
        }
        before, hidden = hidden, view.evaluate(UNVEILED)
        assert hidden < before, "its answer shows, and the others' do not"
    assert hidden == 0
    assert view.evaluate(sizes) == heights, "nothing has jumped"
    assert violations(view, ".callout-predict") == []
    view.reload()
    if has_toy(page):
        assert view.evaluate(UNVEILED) > 0, "what was asked is told, and not what the toys show"
    assert find_out(view) > 0 or not has_toy(page)
    assert view.evaluate(UNVEILED) == 0, "the choice lasts"
    assert "Your guess" in questions.first.locator("output").inner_text()
    questions.first.get_by_role("button", name="Guess again").click()
    assert view.evaluate(UNVEILED) > 0
    assert questions.first.locator("[aria-pressed=true]").count() == 0
    questions.first.get_by_role("button", name="Just show me").click()
    assert view.evaluate(UNVEILED) == 0


@pytest.mark.parametrize("page", ASKING[:1])
def test_the_keyboard_guesses_and_the_veil_leads_to_the_question(visit, page):
    view = visit(page, unfolded=False)
    question = view.locator(".callout-predict:has(button)").first
    view.locator(".veil").first.focus()
    view.keyboard.press("Enter")
    options = question.locator("li button")
    assert options.first.evaluate("option => option === document.activeElement")
    view.keyboard.press("Tab")
    view.keyboard.press("Space")
    assert options.nth(1).get_attribute("aria-pressed") == "true"
    for _ in range(options.count() - 1):
        view.keyboard.press("Tab")
    view.keyboard.press("Enter")
    assert options.nth(1).get_attribute("aria-pressed") == "false", "asked again"
    view.keyboard.press("Enter")
    assert question.locator("output").inner_text().startswith("Measured:"), "just shown"
    assert question.get_by_role("status").count() == 1, "a screen reader hears it"


@pytest.mark.parametrize("page", ASKING[:1])
def test_a_browser_that_keeps_nothing_still_asks(browser, address, page):
    context = browser.new_context()
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })"
    )
    view = context.new_page()
    view.goto(address + page)
    view.locator(".callout-predict li button").first.click()
    assert "Your guess" in view.locator(".callout-predict output").first.inner_text()
    context.close()


# What a reader sees of a chapter --------------------------------------------------------------------

CHAPTERS = [f"chapters/{path.stem}.html" for path in chapters()]


@pytest.mark.parametrize("page", CHAPTERS)
def test_figures_are_numbered_from_one(page):
    numbers = [tag.get_text() for tag in soup(page).select("figcaption .caption-number")]
    found = [int(re.search(r"(\d+) ?$", number)[1]) for number in numbers]
    assert found == [*range(1, len(found) + 1)]
    assert found


# Finding things -------------------------------------------------------------------------------------


def test_search_finds_the_glossary(visit):
    page = visit("search.html?q=bottleneck")
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li a[href*=glossary]").count()


def test_search_shows_a_formula_once(visit):
    page = visit("search.html?q=latent")
    results = page.locator("#search-results")
    # Page after page comes.
    expect(results).to_contain_text("a vector of k numbers", timeout=120_000)
    excerpts = results.inner_text()
    assert "\\" not in excerpts, "the formula's source"


def test_search_leads_to_sections_with_a_sentence_of_each(visit):
    page = visit("search.html?q=subspace")
    page.wait_for_selector("#search-results li li a[href*='linear-autoencoder.html#']")
    page.wait_for_load_state("networkidle")
    for item in page.locator("#search-results li li").all():
        place, anchor = urldefrag(item.locator("a").get_attribute("href"))
        assert anchor in targets(urlsplit(place).path.removeprefix(PREFIX).lstrip("/"))
        name, _, sentence = item.inner_text().partition(": ")
        assert "subspace" in (name + sentence).lower()
        assert re.match(r"\w|“", sentence)
        assert len(sentence) > 10


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_word_of_the_glossary_leads_there_at_its_first_use(page):
    """Of a word's uses in the text, one is a link, and no earlier one is plain."""
    article = soup(page).article
    links = article.select("a:has(> .term)")
    words = [link.get_text() for link in links]
    assert len(set(link["href"] for link in links)) == len(links) >= 5, words
    strings = list(article.find_all(string=True))
    place = {id(piece): i for i, piece in enumerate(strings)}
    plain = [
        (i, piece)
        for i, piece in enumerate(strings)
        if piece.find_parent("p")
        and not piece.find_parent(["blockquote", "a", "code", "figcaption"])
        and not piece.find_parent(class_="cell_output")
    ]
    for link in links:
        assert urlsplit(link["href"]).path == "glossary.html"
        before = place[id(link.find(string=True))]
        text = "".join(piece for i, piece in plain if i < before)
        assert not re.search(rf"(?<![\w-]){re.escape(link.get_text())}(?![\w-])", text), link


def test_the_list_of_sections_scrolls_with_the_reader(visit):
    page = visit("chapters/linear-autoencoder.html")
    page.set_viewport_size({"width": 1280, "height": 420})
    last = page.locator(".toc-tree a").last
    assert last.bounding_box()["y"] > 420, "it is out of sight, so that this test says something"
    page.evaluate(
        "document.querySelector('#further-reading').scrollIntoView({behavior: 'instant'})"
    )
    page.wait_for_function(
        """() => { const box = [...document.querySelectorAll('.toc-tree a')].at(-1).getBoundingClientRect();
        return box.top > 0 && box.bottom < 420; }"""
    )


# What goes on to the right of a phone's screen, without a shade at its edge.
CUT_UNMARKED = """() => [...document.querySelectorAll('article :is(div.math, .table-wrapper, .output.text_html:has(> table))')]
  .filter(box => box.scrollWidth > box.clientWidth + 1 && !getComputedStyle(box).backgroundImage.includes('gradient'))
  .map(box => box.textContent.slice(0, 60))"""


def test_every_chapter_has_its_picture_in_the_list():
    entries = soup("chapters/intro.html").select(".chapter-list > .container")
    assert len(entries) == len(CHAPTERS)
    for entry, page in zip(entries, CHAPTERS, strict=True):
        assert entry.a["href"] == page.removeprefix("chapters/")
        assert (HTML / "chapters" / entry.img["src"]).stat().st_size < 20_000


def test_who_is_lost_finds_the_search_and_all_pages(visit):
    page = visit("404.html")
    links = {
        urlsplit(link.get_attribute("href")).path for link in page.locator("article li a").all()
    }
    assert links == {PREFIX + name for name in TEXTS if not name.endswith("intro.html")}
    page.get_by_label("Search all pages").fill("subspace")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=subspace*")
    page.wait_for_selector("#search-results li a")


def test_the_search_field_leads_to_the_results(visit):
    page = visit("chapters/intro.html")
    page.get_by_label("Search").fill("code")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=code*")


LOADED = "performance.getEntriesByType('resource').map(entry => entry.name)"


def test_only_the_search_page_loads_the_index(visit):
    for name, wanted in {"chapters/intro.html": False, "search.html": True}.items():
        loaded = visit(name).evaluate(LOADED)
        assert any("searchindex" in url for url in loaded) == wanted, loaded


def test_the_chapters_are_one_tap_away_on_a_phone(visit):
    page = visit("chapters/glossary.html", width="narrow")
    link = page.locator(".sidebar-drawer a", has_text="Stacked autoencoders")
    assert not link.is_visible(), "and out of the keyboard's way until then"
    page.locator("label.nav-overlay-icon").click()
    assert link.is_visible()
    assert page.locator(".sidebar-drawer a", has_text="Autoencoders, Measured").is_visible()
    link.click()
    page.wait_for_url("**/stacked-autoencoder.html")


@pytest.mark.parametrize(
    ("button", "drawer"), [("Chapters", ".sidebar-drawer"), ("On this page", ".toc-drawer")]
)
def test_the_keyboard_opens_and_closes_what_a_phone_hides(visit, button, drawer):
    page = visit("chapters/glossary.html", width="narrow")
    link = page.locator(f"{drawer} a:visible").first
    assert link.count() == 0
    page.locator(f"label [aria-label='{button}']:visible").focus()
    for key in ("Enter", "Space"):
        page.keyboard.press(key)
        assert link.is_visible()
        page.keyboard.press("Escape")
        link.wait_for(state="hidden")
        assert page.evaluate("document.activeElement.ariaLabel") == button


def test_a_tap_on_a_section_shows_it(visit):
    page = visit("chapters/intro.html", width="narrow")
    page.locator("label.toc-header-icon").click()
    page.locator(".toc-drawer a", has_text="How to run").click()
    page.locator(".toc-drawer a", has_text="How to run").wait_for(state="hidden")
    assert page.locator("#how-to-run").is_visible()


def test_the_sections_stand_beside_the_text(visit):
    """Also on a laptop, where the theme would fold them away; and 88 columns of code fit."""
    page = visit("chapters/linear-autoencoder.html")
    section = page.locator(".toc-drawer a", has_text="Baselines first")
    fits = """() => { const pre = document.querySelector('article .highlight pre');
      pre.textContent = 'x'.repeat(88);
      return pre.scrollWidth <= pre.clientWidth; }"""
    for width in (1200, 1280, 1440, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
        box = section.bounding_box()
        assert 0 < box["x"] < box["x"] + box["width"] <= width
        assert page.evaluate(OVERFLOW) == []
        page.evaluate("document.querySelector('#quiz').scrollIntoView({behavior: 'instant'})")
        assert 0 < section.bounding_box()["y"] < 900, "beside the end of the text, too"
        assert width < 1280 or page.evaluate(fits)


def test_the_first_tab_leads_past_the_chapters(visit):
    page = visit("chapters/intro.html")
    for _ in range(3):
        page.keyboard.press("Tab")
        if "Skip" in page.evaluate("document.activeElement.textContent"):
            break
    link = page.locator(".skip-to-content")
    page.wait_for_timeout(400)  # it slides in
    assert link.bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    page.wait_for_url("**#furo-main-content")


def test_the_colour_mode_stays_chosen(visit):
    page = visit("chapters/intro.html")
    button = page.locator(".theme-toggle:visible")
    for _ in range(3):
        if page.evaluate(GROUND) == GROUNDS["dark"]:
            break
        button.click()
    page.goto(page.url.replace("intro", "glossary"))
    assert page.evaluate(GROUND) == GROUNDS["dark"]


SHARES = """() => {
  const shown = (query) => [...document.querySelectorAll(query)].filter(part => part.checkVisibility());
  const height = (parts) => parts.reduce((sum, part) => sum + part.offsetHeight, 0);
  const pictures = shown('article :is(figure, .latent-explorer, .explorer)');
  const places = pictures.map(part => part.getBoundingClientRect()).map(box => [box.top + scrollY, box.bottom + scrollY]);
  const end = document.querySelector('#further-reading').getBoundingClientRect().bottom + scrollY;
  const edges = [...places.sort((a, b) => a[0] - b[0]), [end]];
  const whole = document.querySelector('article').offsetHeight;
  return {
    figures: height(pictures) / whole,
    code: height(shown('article .cell_input')) / whole,
    first: edges[0][0],
    gaps: edges.slice(1).map(([top], i) => Math.round(top - edges[i][1])),
  };
}"""


@ALONE
@pytest.mark.parametrize("page", TEXTS)
def test_a_page_as_it_comes(visit, page):
    """It loads little, pictures carry a chapter, and a phone shows that something goes on to the right.

    At most 0.3 MB until a reader scrolls: text compressed as a host does, images as they are. The
    browser decides how far down it fetches lazy images, some screens below the first. At 1280 pixels
    a picture comes at once, none is far from the next or from the end, and there are enough of them.
    """
    wide, narrow = (visit(page, width, unfolded=False) for width in WIDTHS)
    for view in (wide, narrow):  # one falls silent while the other loads
        view.wait_for_load_state("networkidle")
        names = {
            urlsplit(url).path.removeprefix(PREFIX) for url in [view.url, *view.evaluate(LOADED)]
        }
        packed = re.compile(r"\.(png|webp|woff2)$")
        sizes = {
            name: len(data if packed.search(name) else gzip.compress(data))
            for name in names
            for data in [(HTML / unquote(name)).read_bytes()]
        }
        assert len(sizes) > 5
        assert sum(sizes.values()) <= 300_000, sorted(sizes.items(), key=lambda item: -item[1])
    if page in CHAPTERS:
        found = wide.evaluate(SHARES)
        assert found["first"] <= 900, found
        assert max(found["gaps"]) <= 2500, found
        assert found["figures"] >= 0.2, found
        assert found["code"] <= 0.3, found
    unfold(narrow)
    assert narrow.evaluate(CUT_UNMARKED) == []


UNREADABLE = """async () => {
  await document.fonts.ready;
  const wrong = [];
  for (const part of document.querySelectorAll('article :is(h1, h2, h3, p, li, pre, figcaption)')) {
    const box = part.getBoundingClientRect();
    if (part.textContent.trim() && !part.closest('details:not([open]), math') && !box.height)
      wrong.push(part.textContent.trim().slice(0, 80));
  }
  for (const image of document.querySelectorAll('article img'))
    if (!image.complete || !image.naturalWidth || !image.getBoundingClientRect().height)
      wrong.push(image.alt || image.src);
  for (const formula of document.querySelectorAll('.math:not(details:not([open]) *) math'))
    if (formula.getBoundingClientRect().height < 5) wrong.push(formula.textContent);
  if (document.querySelector('.math') && !document.fonts.check('16px "STIX Two Math"'))
    wrong.push('the font of the formulas');
  for (const control of document.querySelectorAll('article button, .theme-toggle'))
    if (control.getBoundingClientRect().height) wrong.push(`a dead control: ${control.outerHTML}`);
  return wrong;
}"""


# Folds that a reader cannot reach, because something lies on them, or that a click does not open.
STAY_CLOSED = """() => [...document.querySelectorAll('article details > summary')].filter(summary => {
  summary.scrollIntoView({block: 'center', behavior: 'instant'});
  const box = summary.getBoundingClientRect();
  const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  if (!summary.contains(top)) return true;
  top.click();
  const answer = summary.nextElementSibling;
  return !answer.checkVisibility({visibilityProperty: true}) || !answer.getBoundingClientRect().height;
}).map(summary => summary.textContent)"""


@ALONE
@pytest.mark.parametrize("page", TEXTS)
def test_a_page_is_whole_without_scripts(visit, page):
    """Text, figures, formulas and folded answers; and no veil nor control that would need a script."""
    view = visit(page, unfolded=False, java_script_enabled=False)
    assert view.locator("article h1").is_visible()
    assert view.locator(".sidebar-tree a").first.is_visible()
    assert view.locator(".veil, .veiled, .callout-predict button").count() == 0
    options = view.locator(".callout-predict li")
    assert options.locator("visible=true").count() == options.count()
    assert view.evaluate(UNREADABLE) == []
    for theme, ground in GROUNDS.items():
        view.emulate_media(color_scheme=theme)
        assert view.evaluate(GROUND) == ground
    assert view.evaluate(STAY_CLOSED) == []


# What A4 and US letter leave within the margins of book.css, in CSS pixels.
PAPER = {"width": 672, "height": 900}
CUT = """(height) => {
  const cut = [];
  for (const part of document.querySelectorAll('article :is(figure, tr, div.math > math)')) {
    const box = part.getBoundingClientRect();
    if (box.height > height) cut.push(`higher than a sheet: ${part.textContent.trim().slice(0, 80)}`);
    if (box.right > innerWidth + 1) cut.push(`wider than a sheet: ${part.textContent.trim().slice(0, 80)}`);
    if (box.height && getComputedStyle(part.closest('figure, tr, .math')).breakInside !== 'avoid')
      cut.push(`may be split: ${part.tagName} ${part.className}`);
  }
  for (const box of document.querySelectorAll('article pre'))
    if (box.getBoundingClientRect().height && box.scrollWidth > box.clientWidth + 1)
      cut.push(`cut: ${box.textContent.slice(0, 80)}`);
  for (const details of document.querySelectorAll('article details'))
    if (!details.lastElementChild.checkVisibility({contentVisibilityAuto: true}))
      cut.push(`folded: ${details.textContent.trim().slice(0, 80)}`);
  return cut;
}"""


# What a screen has around the text.
SITE = """() => [...document.querySelectorAll(`.sidebar-drawer, .toc-drawer, .mobile-header,
  .related-pages, .page-links, .content-icon-container, .headerlink, .copybtn, .skip-to-content,
  .veil, .callout-predict > div > button, .book-footer p:first-child`)].filter(part => part.getBoundingClientRect().height)
  .map(part => part.outerHTML.slice(0, 80))"""


# Those are loaded when they are near, so each that is missing is scrolled to.
ALL_IMAGES = """() => {
  const missing = [...document.querySelectorAll('article img')].find(image => !image.complete);
  missing?.scrollIntoView({behavior: 'instant'});
  return !missing;
}"""


def squeeze(text):
    """Return a text without spaces, hyphens and ligatures, which a PDF places as it likes."""
    return re.sub(r"[\s\u00ad\u2060\ufffe\x02-]+", "", unicodedata.normalize("NFKC", text))


@ALONE
@pytest.mark.parametrize("page", TEXTS)
def test_a_page_prints_as_an_article(visit, page):
    """The PDF holds the text to its end, with answers open, and nothing of the site around it."""
    view = visit(page, unfolded=False, color_scheme="dark")
    options = view.locator(".callout-predict li").all_inner_texts()
    view.emulate_media(media="print")
    view.set_viewport_size(PAPER)
    assert view.evaluate(CUT, PAPER["height"]) == []
    assert view.evaluate(GROUND) == GROUNDS["light"], "paper is white"
    assert view.evaluate(SITE) == []
    assert view.evaluate(UNVEILED) == 0
    assert view.locator(".callout-predict li").all_inner_texts() == options
    view.evaluate("document.body.dataset.theme = 'dark'")  # as a reader may choose
    assert view.evaluate(GROUND) == GROUNDS["light"]
    # Not made eager: the browser goes on waiting for those, two seconds, before it prints.
    view.wait_for_function(ALL_IMAGES)
    pdf = view.pdf(format="A4", prefer_css_page_size=True, print_background=True)
    sheets = list(pdfium.PdfDocument(pdf))
    assert 1 <= len(sheets) <= 60
    text = squeeze("".join(sheet.get_textpage().get_text_bounded() for sheet in sheets))
    titles = soup(page).article.select("h1, h2, h3, summary, figcaption")
    parts = [part for title in titles for part in title.find_all(string=True)]
    words = [part for part in parts if not part.find_parent(class_=["headerlink", "math", "hide"])]
    assert not [part for part in words if squeeze(part) not in text]
    for control in ("On this page", "Show code", "Skip to content", "Back to top", "Suggest a"):
        assert squeeze(control) not in text, control
    figures = len(soup(page).article.select("figure img"))
    kinds = [pdfium.raw.FPDF_PAGEOBJ_IMAGE]
    images = [part for sheet in sheets for part in sheet.get_objects(kinds, max_depth=5)]
    assert len(images) >= figures


def test_the_closing_table_sorts_by_the_column_that_is_pressed_the_best_first(visit):
    view = visit("chapters/which-autoencoder.html", unfolded=False)
    table = view.locator("table:has(th[data-more])")
    for name, more in (("make new ones", False), ("find strangers", True)):
        table.get_by_role("button", name=name).click()
        place = table.locator("thead th").all_text_contents().index(name)
        for way, sorts in (("descending", more), ("ascending", not more)):
            found = table.locator(f"th[aria-sort={way}]").all_text_contents()
            assert found == [name] * sorts
        cells = table.locator(f"tbody tr :nth-child({place + 1})").all_text_contents()
        values = [float(cell.split("±")[0]) for cell in cells if cell != "–"]
        assert len(values) > 9
        assert values == sorted(values, reverse=more)
        assert set(cells[len(values) :]) <= {"–"}, "who was not asked comes last"
    assert cells[-1] == "–", "as some were not, about strangers"
