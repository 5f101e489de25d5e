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

// The outputs of the cells after a question, up to the first cell of claims in its section.
function findAnswer(question) {
  const outputs = [];
  for (let part = question; (part = part.nextElementSibling) && !part.matches("section, .callout-predict");) {
    outputs.push(...part.querySelectorAll(".cell_output"));
    if (part.querySelector("summary")?.textContent === "How this was checked") return outputs;
  }
  return [];
}

// The text after an answer's first output, up to what follows its claims, in a box for each piece.
function boxText(outputs) {
  const boxes = [], [first, last] = [outputs[0], outputs.at(-1)].map((output) => output.closest(".cell"));
  let box, told = false;
  for (let part = first, next; part && !part.matches("section, .callout-predict"); part = next) {
    next = part.nextElementSibling;
    if (part.matches(".cell")) {
      if (told) break;
      box = null;
      told = part === last;
    } else {
      if (!box) boxes.push(part.parentElement.insertBefore(box = make("div", { className: "answer" }), part));
      box.append(part);
    }
  }
  return boxes;
}

function veil(outputs, text, goal) {
  for (const output of outputs) {
    const cover = make("button", { type: "button", className: "veil" }, text);
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
  const outputs = findAnswer(question), list = question.querySelector("ul");
  if (!outputs.length || !list) continue;
  const veiled = [...outputs, ...boxText(outputs)];
  const key = `guess ${location.pathname} ${question.querySelector("p").textContent}`;
  const options = [...list.children].map((item) => {
    // What was measured carries the numbers of the claims that say so, as a comment: <!-- ✓ 2 -->.
    const claims = /<!-- ✓ ([\d, ]+) -->/.exec(item.innerHTML)?.[1].split(", ");
    const option = make("button", { type: "button", claims }, ...(item.querySelector("p") ?? item).childNodes);
    item.replaceChildren(option);
    return option;
  });
  const measured = options.find((option) => option.claims);
  const skip = make("button", { type: "button" }, "Just show me");
  const result = make("output"); // a live region: it is read out when it changes
  list.after(skip, result);

  const show = (guess) => {
    const chosen = options.find((option) => option.textContent.trim() === guess);
    const lines = [...outputs.at(-1).querySelectorAll(".line, .row")].map((line) => line.textContent.trim());
    const claims = lines.filter((line) => line.startsWith("✓"));
    result.replaceChildren(
      ...(chosen ? [make("span", {}, `Your guess: ${guess}`)] : []),
      make("span", {}, `Measured: ${measured.textContent.trim()}`),
      ...measured.claims.map((number) => make("span", { className: "claim" }, claims[number - 1])),
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
  const outputs = findAnswer(summary.parentElement);
  veil(outputs, "Try it, then open “What did you find?”", summary);
  summary.parentElement.addEventListener("toggle", () => unveil(outputs));
}
