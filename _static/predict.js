// A reader guesses before looking: what answers a question is veiled until then. Without this
// script everything shows, and the options are a plain list. The guess stays in this browser.

const kept = { // a browser may refuse to keep anything
  read(key) { try { return localStorage.getItem(key); } catch { return null; } },
  write(key, value) { try { localStorage.setItem(key, value); } catch { /* then not */ } },
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

for (const question of document.querySelectorAll(".callout-predict")) {
  const outputs = findAnswer(question), list = question.querySelector("ul");
  if (!outputs.length || !list) continue;
  const key = `guess ${location.pathname} ${question.querySelector("p").textContent}`;
  const button = (...content) => {
    const made = Object.assign(document.createElement("button"), { type: "button" });
    made.append(...content);
    return made;
  };
  const options = [...list.children].map((item) => {
    const option = button(...(item.querySelector("p") ?? item).childNodes);
    item.replaceChildren(option);
    return option;
  });
  const skip = button("Just show me");
  const result = document.createElement("output"); // a live region: it is read out when it changes
  list.after(skip, result);

  const show = (guess) => {
    const chosen = options.find((option) => option.textContent === guess);
    const lines = [...outputs.at(-1).querySelectorAll(".line, .row")].map((line) => line.textContent.trim());
    const measured = lines.filter((line) => line.startsWith("✓"));
    const say = (text, className = "") => Object.assign(document.createElement("span"), { textContent: text, className });
    result.replaceChildren(...(chosen ? [say(`Your guess: ${guess}`)] : []), say("Measured:"),
      ...measured.map((line) => say(line, "measured")));
    for (const option of options) option.ariaPressed = option === chosen;
    skip.textContent = "Guess again";
    for (const output of outputs) {
      output.classList.remove("veiled");
      output.querySelector(":scope > .veil")?.remove();
    }
  };
  const hide = () => {
    result.replaceChildren();
    for (const option of options) option.ariaPressed = false;
    skip.textContent = "Just show me";
    for (const output of outputs) {
      const veil = button("Guess first");
      veil.className = "veil";
      veil.tabIndex = output === outputs[0] ? 0 : -1; // one stop for the keyboard is enough
      veil.addEventListener("click", () => {
        options[0].focus({ preventScroll: true });
        question.scrollIntoView({ block: "center" });
      });
      output.prepend(veil);
      output.classList.add("veiled");
    }
  };
  const commit = (guess) => {
    kept.write(key, guess ?? "");
    show(guess);
  };
  for (const option of options) option.addEventListener("click", () => commit(option.textContent));
  skip.addEventListener("click", () => {
    if (outputs[0].matches(".veiled")) commit("shown");
    else { kept.write(key, ""); hide(); }
  });
  const before = kept.read(key);
  if (before) show(before); else hide();
}
