"""The map of the chapters: what builds on what, as a drawing (SVG) and in words (Markdown).

The chapters stand below each other in the order of the book, so that their titles are legible on a
phone however many they are. From a chapter that others build on, one line leads down the left side
and branches off to each of them.
"""

import html
import textwrap

WIDTH, HEIGHT, GAP = 380, 46, 14  # of the drawing, of a box, between boxes; in pixels
CAPTION = 34  # height of a part's caption
STEP, BEND = 16, 6  # between two lines on the left side; radius of their corners
FONT, LETTER = 16, 9  # size, and the room that a letter takes in a wide font


def prerequisites(chapters):
    """Return {slug: slugs of the chapters of the book that it builds on}."""
    slugs = [chapter.slug for chapter in chapters]
    return {c.slug: [slug for slug in c.builds_on if slug in slugs] for c in chapters}


def lanes(needs):
    """Return {slug: number of its line, 0 nearest to the boxes} for chapters that others build on.

    Short lines are placed first, so that long ones run outside and cross few others.
    """
    rows = {slug: row for row, slug in enumerate(needs)}
    spans = {}
    for slug in needs:
        ends = [rows[other] for other in needs if slug in needs[other]]
        if ends:
            spans[slug] = (min(rows[slug], *ends), max(rows[slug], *ends))
    placed = {}
    for slug, (first, last) in sorted(spans.items(), key=lambda pair: pair[1][1] - pair[1][0]):
        taken = {
            lane
            for other, lane in placed.items()
            if spans[other][0] <= last and first <= spans[other][1]
        }
        placed[slug] = next(lane for lane in range(len(spans)) if lane not in taken)
    return placed


def places(chapters):
    """Return {slug: top of its box}, [(caption, its baseline)], and the height of the drawing."""
    tops, captions, y = {}, [], 1
    several = len({chapter.part for chapter in chapters}) > 1
    before = None
    for chapter in chapters:
        if several and chapter.part != before:
            captions.append((chapter.part, y + 18))
            y += CAPTION
        before = chapter.part
        tops[chapter.slug] = y
        y += HEIGHT + GAP
    return tops, captions, y - GAP + 1


def arrows(needs, tops, left):
    """Yield (from, to, path data) for every chapter that another one builds on."""
    lane = lanes(needs)
    # Where lines meet a box: what comes in, from the nearest line outwards, then what goes out.
    ports = {}
    for slug, top in tops.items():
        ends = [*sorted(needs[slug], key=lane.get), *([None] if slug in lane else [])]
        for count, end in enumerate(ends, start=1):
            ports[slug, end] = round(top + HEIGHT * count / (len(ends) + 1), 1)
    for slug, others in needs.items():
        for other in others:
            start, end = ports[other, None], ports[slug, other]
            x = left - STEP * (lane[other] + 1)
            bend = BEND if end > start else -BEND
            yield (
                other,
                slug,
                f"M{left} {start}H{x + BEND}Q{x} {start} {x} {start + bend}V{end - bend}"
                f"Q{x} {end} {x + BEND} {end}H{left}m-6-4 6 4-6 4",
            )


def draw(chapters):
    """Return the map as SVG that takes the colours of its page.

    Args:
        chapters: list of `tools.chapters.Summary`, in the order of the book.

    Returns:
        str. Each box is a link to its chapter, from a page in the same folder.
    """
    needs = prerequisites(chapters)
    tops, captions, height = places(chapters)
    left = STEP * (1 + max(lanes(needs).values(), default=-1)) + 2
    width = WIDTH - left - 1
    lines = [
        f'<svg class="chapter-map" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" style="display: block; max-width: 100%; height: auto; margin: 1rem 0" '
        'role="group" aria-label="What builds on what">',
        f'<g fill="currentColor" font-size="{FONT - 2}" font-weight="650">',
        *(f'<text x="{left}" y="{y}">{html.escape(words)}</text>' for words, y in captions),
        "</g>",
        '<g aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.5">',
        *(
            f'<path data-from="{start}" data-to="{end}" d="{path}"/>'
            for start, end, path in arrows(needs, tops, left)
        ),
        "</g>",
        f'<g fill="currentColor" font-size="{FONT}">',
    ]
    for chapter in chapters:
        title = textwrap.wrap(chapter.title, int((width - 24) / LETTER))
        y = tops[chapter.slug] + HEIGHT / 2 + 5.5 - 10 * (len(title) - 1)
        words = " ".join(
            f'<tspan x="{left + 12}" y="{y + 20 * row}">{html.escape(part)}</tspan>'
            for row, part in enumerate(title)
        )
        lines.append(
            f'<a href="{chapter.slug}.html" style="text-decoration: none"><rect x="{left}" '
            f'y="{tops[chapter.slug]}" width="{width}" height="{HEIGHT}" rx="7" '
            f'fill="transparent" stroke="currentColor"/><text>{words}</text></a>'
        )
    return "\n".join([*lines, "</g>", "</svg>"])


def listed(titles):
    """Return titles as a list in a sentence: "*A*, *B* and *C*"."""
    marked = [f"*{title}*" for title in titles]
    return " and ".join(filter(None, [", ".join(marked[:-1]), marked[-1]]))


def describe(chapters):
    """Return what the map shows as sentences in Markdown, in a fold."""
    needs = prerequisites(chapters)
    titles = {chapter.slug: chapter.title for chapter in chapters}
    groups = {}
    for slug, others in needs.items():
        groups.setdefault(tuple(others), []).append(titles[slug])
    sentences = [
        f"{listed(group)} {'build' if len(group) > 1 else 'builds'} on "
        f"{listed([titles[other] for other in others]) if others else 'no other chapter'}."
        for others, group in groups.items()
    ]
    return f"<details><summary>The map in words</summary>\n\n{' '.join(sentences)}\n\n</details>"
