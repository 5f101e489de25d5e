// What a page cannot do by itself; without this script it stays readable.

// The parts of an explorer come when a reader comes near; until the reader moves on, the aim of the
// link that led here stays in place, whatever grows above it.
let followed = true;
addEventListener("hashchange", () => { followed = true; });
for (const move of ["wheel", "touchmove", "keydown", "pointerdown"]) addEventListener(move, () => { followed = false; });
const growing = new ResizeObserver(() => {
  if (followed) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
});
for (const { dataset, parentElement: place } of document.querySelectorAll("template[data-script]")) {
  new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    growing.observe(place);
    place.append(Object.assign(document.createElement("script"), { src: dataset.script }));
  }, { rootMargin: "3000px" }).observe(place);
}

// The keyboard reaches what scrolls sideways, and only what does.
const scrollers = "article :is(pre, .table-wrapper, .output.text_html)";
const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth + 1) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
for (const box of document.querySelectorAll(scrollers)) sizes.observe(box);

// The keyboard opens the two drawers of a narrow screen, and closes them again.
for (const [id, side, ariaLabel] of [["__navigation", "sidebar", "Chapters"], ["__toc", "toc", "On this page"]]) {
  const box = document.getElementById(id);
  document.querySelector(`.${side}-drawer`).ariaLabel = ariaLabel;
  for (const icon of document.querySelectorAll(`.page label[for=${id}] .icon`)) {
    Object.assign(icon, { role: "button", tabIndex: 0, ariaLabel });
    icon.addEventListener("keydown", (event) => {
      if (!["Enter", " "].includes(event.key)) return;
      event.preventDefault();
      box.checked = !box.checked;
    });
    addEventListener("keydown", ({ key }) => {
      if (key !== "Escape" || !box.checked || !icon.offsetWidth) return;
      box.checked = false;
      icon.focus();
    });
  }
  addEventListener("hashchange", () => { box.checked = false; });
}

// The list of sections scrolls with the reader.
const list = document.querySelector(".toc-scroll");
if (list) {
  new MutationObserver(() => {
    const here = [...list.querySelectorAll(".scroll-current > a")].pop();
    const away = (here?.getBoundingClientRect().top ?? 0) - list.getBoundingClientRect().top;
    if (here && (away < 40 || away > list.clientHeight - 40)) list.scrollTop += away - list.clientHeight / 2;
  }).observe(list, { subtree: true, attributeFilter: ["class"] });
}
