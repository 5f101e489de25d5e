// The dictionary browser: the mean image plus the atoms that are switched on.
function dictionaryBrowser(root, data) {
  const { weights, names, scales } = data, size = 28 * 28;
  const bytes = new Int8Array(unpack(data.atoms, 1).buffer);
  const atoms = scales.map((scale, i) =>
    Float32Array.from(bytes.subarray(i * size, (i + 1) * size), (whole) => whole * scale));
  const panel = element("div", root, { className: "le-panel" },
    { role: "group", "aria-label": "Dictionary browser" });
  const square = (parent, label) => element("canvas", parent,
    { className: "le-pixels", width: 28, height: 28 }, label ? { role: "img" } : { "aria-hidden": "true" });

  const choices = element("div", panel, { className: "db-choices" },
    { role: "group", "aria-label": "Choose an image" });
  const thumbs = names.map((name, i) => {
    const button = element("button", choices, { type: "button" },
      { "aria-label": `Image ${i + 1}: ${name}`, "aria-pressed": "false" });
    button.addEventListener("click", () => choose(i));
    return square(button);
  });
  const pictures = element("div", panel, { className: "db-pictures" });
  const figure = (name) => {
    const part = element("figure", pictures);
    const canvas = square(part, true);
    return { canvas, caption: element("figcaption", part, { textContent: name }) };
  };
  const original = figure("the image"), sum = figure(""), missing = figure("what is missing");
  const list = element("div", panel, { className: "db-atoms" },
    { role: "group", "aria-label": "Atoms, the strongest first" });
  const row = element("div", panel, { className: "le-row" });
  const all = (text, on) => element("button", row, { type: "button", textContent: text })
    .addEventListener("click", () => { state.fill(on); paint(); });
  all("all on", true);
  all("all off", false);
  element("p", panel, { className: "le-hint", textContent:
    "Choose an image above; press an atom to switch it off and on. Orange in an atom makes brighter, blue darker" +
    "; in “what is missing”, orange is where the sum is too dark, blue where it is too bright. The number " +
    "under an atom is its weight." });
  const announce = announcer(panel);

  let images = null, image = 0, state = [], buttons = [];
  const paint = () => {
    root.dataset.on = state.map(Number).join("");
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", state[i]));
    if (!images) return;
    const total = Float32Array.from(images[0]), target = images[image + 1];
    weights[image].forEach(([atom, weight], i) => {
      if (state[i]) atoms[atom].forEach((value, j) => { total[j] += weight * value; });
    });
    const count = state.filter(Boolean).length, error = shown(meanSquare(total, target), 4);
    paintGrey(original.canvas, target);
    paintGrey(sum.canvas, total);
    paintDifference(missing.canvas, target.map((value, j) => value - total[j]));
    sum.caption.textContent = `mean + ${count} of ${state.length} atoms`;
    missing.caption.textContent = `what is missing: MSE ${error}`;
    original.canvas.setAttribute("aria-label", `The image: ${names[image]}`);
    sum.canvas.setAttribute("aria-label", `The mean image and ${count} atoms`);
    missing.canvas.setAttribute("aria-label", `What is missing; MSE ${error}`);
    root.dataset.error = error;
    announce(`${names[image]}, ${count} of ${state.length} atoms, MSE ${error}`);
  };
  const choose = (i) => {
    image = i;
    state = weights[i].map(() => true);
    list.replaceChildren();
    thumbs.forEach((canvas, j) => canvas.parentElement.setAttribute("aria-pressed", j === i));
    buttons = weights[i].map(([atom, weight], j) => {
      const button = element("button", list, { type: "button" },
        { "aria-label": `Atom ${j + 1}, weight ${shown(weight)}` });
      paintDifference(square(button), atoms[atom], 100 * scales[atom]);
      element("span", button, { textContent: shown(weight) }, { "aria-hidden": "true" });
      button.addEventListener("click", () => { state[j] = !state[j]; paint(); });
      return button;
    });
    paint();
  };
  choose(0);
  readSheet(data.images).then((found) => {
    images = found;
    thumbs.forEach((canvas, i) => paintGrey(canvas, images[i + 1]));
    paint();
  });
}
