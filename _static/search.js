// Search results lead to sections, and say a sentence of each; Sphinx itself knows only pages.
// It fetches every page that it finds, for an excerpt, and this makes the excerpt.
addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") return; // only the page of results has it
  const SECTIONS = 3; // of one page
  const tidy = (part) => part?.textContent.replace(/\s+/g, " ").trim() ?? "";

  Search.makeSearchSummary = (page, words, anchor) => {
    const main = new DOMParser().parseFromString(page, "text/html").querySelector("[role=main]");
    for (const part of main.querySelectorAll(".headerlink, .cell_input, annotation, script, style")) part.remove();
    const asked = anchor ? main.querySelector(anchor) : null;
    const within = asked?.matches("dt") ? asked.nextElementSibling : asked ?? main;
    const hits = (text) => [...words].filter((word) => text.toLowerCase().includes(word)).length;
    const found = new Map(); // by place: its best sentence; a place is a section or a word's definition
    for (const part of within.querySelectorAll("p, td, figcaption")) {
      const place = part.closest("dd, section");
      const target = place.matches("dd") ? place.previousElementSibling : place;
      const name = tidy(target.matches("dt") ? target : target.querySelector("h1, h2, h3"));
      const sentences = place.matches("dd") ? [tidy(part)] : tidy(part).split(/(?<=[.?!]) (?=\p{Lu})/u);
      for (const sentence of sentences) {
        const score = hits(sentence) + hits(name) / 2;
        if (score > (found.get(place)?.score ?? 0)) found.set(place, { score, sentence, target, name });
      }
    }
    const list = document.createElement("ul");
    const best = [...found.values()].sort((a, b) => b.score - a.score).slice(0, SECTIONS);
    for (const { sentence, target, name } of best) {
      const item = list.appendChild(document.createElement("li"));
      const link = item.appendChild(document.createElement("a"));
      link.textContent = name;
      item.append(": ", sentence);
      // The page's own link stands before this list, as soon as Sphinx has appended it.
      queueMicrotask(() => {
        link.href = list.parentElement.querySelector("a").href.split("#")[0] + `#${target.id}`;
      });
    }
    return list;
  };
});
