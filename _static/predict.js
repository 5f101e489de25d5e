// A reader guesses before looking: what answers a question is veiled until then. Without this
// script everything shows, and the options are a plain list. The guess stays in this browser.

const kept = { // a browser may refuse to keep anything
  read(key) { try { return localStorage.getItem(key); } catch { return null; } },
  write(key, value) { try { localStorage.setItem(key, value); } catch { /* then not */ } },
};

const make = (tag, properties, ...content) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...content);
  return made;
};

// What follows a question, up to the next heading, question or, behind the first cell of claims,
// thing to move; with that cell, or nothing if there is none. A toy's fold is told by its claims alone.
function findAnswer(question, toy = false) {
  const parts = [];
  let claims;
  for (let part = question; (part = part.nextElementSibling) && !part.matches("section, .callout-predict");) {
    if (claims && (toy || part.querySelector("[data-explorer]"))) break;
    parts.push(part);
    if (part.querySelector("summary")?.textContent === "How this was checked") claims ??= part;
  }
  return claims ? { claims, parts, outputs: parts.flatMap((part) => [...part.querySelectorAll(".cell_output")]) } : {};
}

// The text after an answer's first cell, in a box for each piece.
function boxText(parts) {
  const boxes = [];
  let box;
  for (const part of parts.slice(parts.findIndex((part) => part.matches(".cell")))) {
    if (part.matches(".cell")) box = null;
    else {
      if (!box) boxes.push(part.parentElement.insertBefore(box = make("div", { className: "answer" }), part));
      box.append(part);
    }
  }
  return boxes;
}

function veil(outputs, text, goal) {
  for (const output of outputs) {
    const cover = make("button", { type: "button", className: "veil" }, make("span", {}, text));
    cover.tabIndex = output === outputs[0] ? 0 : -1; // one stop for the keyboard is enough
    cover.addEventListener("click", () => {
      goal.focus({ preventScroll: true });
      goal.scrollIntoView({ block: "center" });
    });
    output.prepend(cover);
    output.classList.add("veiled");
  }
}

function unveil(outputs) {
  for (const output of outputs) {
    output.classList.remove("veiled");
    output.querySelector(":scope > .veil")?.remove();
  }
}

for (const question of document.querySelectorAll(".callout-predict")) {
  const { claims, parts, outputs } = findAnswer(question), list = question.querySelector("ul");
  if (!claims || !list) continue;
  const veiled = [...outputs, ...boxText(parts)];
  const key = `guess ${location.pathname} ${question.querySelector("p").textContent}`;
  const options = [...list.children].map((item) => {
    // What was measured carries the numbers of the claims that say so, as a comment: <!-- ✓ 2 -->.
    const numbers = /<!-- ✓ ([\d, ]+) -->/.exec(item.innerHTML)?.[1].split(", ");
    const option = make("button", { type: "button", numbers }, ...(item.querySelector("p") ?? item).childNodes);
    item.replaceChildren(option);
    return option;
  });
  const measured = options.find((option) => option.numbers);
  const skip = make("button", { type: "button" }, "Just show me");
  const result = make("output"); // a live region: it is read out when it changes
  list.after(skip, result);

  const show = (guess) => {
    const chosen = options.find((option) => option.textContent.trim() === guess);
    const lines = [...claims.querySelectorAll(".cell_output :is(.line, .row)")].map((line) => line.textContent.trim());
    const told = lines.filter((line) => line.startsWith("✓"));
    result.replaceChildren(
      ...(chosen ? [make("span", {}, `Your guess: ${guess}`)] : []),
      make("span", {}, `Measured: ${measured.textContent.trim()}`),
      ...measured.numbers.map((number) => make("span", { className: "claim" }, told[number - 1])),
    );
    for (const option of options) option.ariaPressed = option === chosen;
    measured.classList.add("measured");
    skip.textContent = "Guess again";
    unveil(veiled);
  };
  const hide = () => {
    result.replaceChildren();
    for (const option of options) option.ariaPressed = false;
    measured.classList.remove("measured");
    skip.textContent = "Just show me";
    veil(veiled, "Guess first", options[0]);
  };
  const commit = (guess) => {
    kept.write(key, guess ?? "");
    show(guess);
  };
  for (const option of options) option.addEventListener("click", () => commit(option.textContent.trim()));
  skip.addEventListener("click", () => {
    if (outputs[0].matches(".veiled")) commit("shown");
    else { kept.write(key, ""); hide(); }
  });
  const before = kept.read(key);
  if (before) show(before); else hide();
}

// What a toy's questions ask for shows when their fold is opened.
for (const summary of document.querySelectorAll("summary")) {
  if (!summary.textContent.startsWith("What did you find?")) continue;
  const { outputs = [] } = findAnswer(summary.parentElement, true);
  veil(outputs, "Try it, then open “What did you find?”", summary);
  summary.parentElement.addEventListener("toggle", () => unveil(outputs));
}
