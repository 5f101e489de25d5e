// The noise scrubber: one slider for the level of the noise in an image and in a plane of points.
function noiseScrubber(root, data) {
  const { levels, names, denoisers, errors } = data, last = levels.length - 1;
  const panel = element("div", root, { className: "le-panel" },
    { role: "group", "aria-label": "Noise scrubber" });

  const label = element("div", panel, { className: "ns-slider" });
  const value = element("span", label);
  const field = element("input", label, { type: "range", min: 0, max: last },
    { "aria-label": "Level of the noise" });
  field.value = Math.round(0.3 * last);
  const play = element("button", label, { type: "button", textContent: "Play" });

  const choice = element("div", panel, { className: "le-row" }, { role: "group", "aria-label": "Image" });
  const buttons = names.map((name, i) => {
    const button = element("button", choice, { type: "button", textContent: name });
    button.addEventListener("click", () => { image = i; show(); announce(say()); });
    return button;
  });
  let image = 0;

  const shelf = element("div", panel, { className: "ns-images" });
  const frames = ["original", "noisy", ...denoisers].map((name) => {
    const figure = element("figure", shelf);
    const canvas = element("canvas", figure, { className: "le-pixels", width: 28, height: 28 }, { role: "img" });
    return { name, canvas, caption: element("figcaption", figure) };
  });
  const plane = svgElement("svg", panel, { class: "ns-plane", role: "img", viewBox: "-2 -2 4 4" });
  element("p", panel, { className: "le-hint", textContent:
    "Drag the slider, use the arrow keys on it, or press Play: the level falls from 1 to 0. Above, an image " +
    "with one pattern of noise, times the level; the errors are those of this image. Below, the same level for " +
    "the eight clouds: arrows lead from a grid to the denoised points, and orange points follow them." });
  const announce = announcer(panel);

  // The image ---------------------------------------------------------------------------------------
  let pictures = null;
  const noise = Float32Array.from(unpack(data.noise, 1), (byte) => (byte / 127.5 - 1) * data.noiseRange);
  const noisy = (level) => pictures[image].map((pixel, i) => pixel + levels[level] * noise[784 * image + i]);
  const answer = (which, level) => pictures[names.length * (1 + which * levels.length + level) + image];
  const error = (which, level) => errors[which][level][image];
  const say = () => {
    const level = Number(field.value), shares = denoisers.map((name, i) => `${name} ${shown(error(i, level), 4)}`);
    return `Level ${shown(levels[level])}, ${names[image]}: errors ${shares.join(", ")}`;
  };
  const paintImages = (level) => {
    const costs = [0, levels[level] ** 2, ...denoisers.map((_, i) => error(i, level))];
    const best = Math.min(...costs.slice(2));
    frames.forEach(({ name, canvas, caption }, i) => {
      caption.textContent = i ? `${name}\n${shown(costs[i], 4)}` : name;
      caption.classList.toggle("ns-best", i > 1 && costs[i] === best && costs[2] !== costs[3]);
      canvas.setAttribute("aria-label", `${names[image]}, ${name}` + (i ? `, error ${shown(costs[i], 4)}` : ""));
      if (pictures)
        paintGrey(canvas, [() => pictures[image], () => noisy(level), () => answer(0, level), () => answer(1, level)][i]());
    });
  };

  // The plane ---------------------------------------------------------------------------------------
  const noiseIn = network(data.compass), LOWEST = 0.03;
  const denoised = (x, y, sigma) => {
    const scale = Math.sqrt(sigma ** 2 + 0.5), [u, v] = noiseIn([x / scale, y / scale, Math.log(sigma)]);
    return [x - sigma * u, y - sigma * v];
  };
  const pairs = (text) => {
    const flat = unpack(text, 4);
    return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
  };
  for (const [x, y] of pairs(data.points)) svgElement("circle", plane, { class: "ns-data", cx: x, cy: -y, r: 0.015 });
  const arrows = [];
  for (let x = -1.8; x < 1.9; x += 0.45)
    for (let y = -1.8; y < 1.9; y += 0.45)
      arrows.push({ x, y, path: svgElement("path", plane, { class: "ns-arrow" }) });
  const walkers = pairs(data.starts).map(() => svgElement("circle", plane, { class: "ns-walker", r: 0.035 }));
  // Where each walker is at every level of the slider: small steps in between, the last to the answer.
  const walks = pairs(data.starts).map(([x, y]) => {
    const places = Array(levels.length);
    places[last] = [x, y];
    for (let level = last; level > 0; level--) {
      const top = levels[level], bottom = Math.max(levels[level - 1], LOWEST);
      for (let step = 0; step < 4; step++) {
        const here = top + (bottom - top) * step / 4, [u, v] = denoised(x, y, here);
        const part = (bottom - top) / 4 / here;
        [x, y] = [x + part * (x - u), y + part * (y - v)];
      }
      places[level - 1] = level > 1 ? [x, y] : denoised(x, y, LOWEST);
    }
    return places;
  });
  const paintPlane = (level) => {
    const sigma = Math.max(levels[level], LOWEST);
    plane.setAttribute("aria-label", `Eight clouds at level ${shown(levels[level])}: arrows from a grid to the ` +
      `denoised points, ${walkers.length} points on their way into the clouds`);
    for (const { x, y, path } of arrows) {
      const [u, v] = denoised(x, y, sigma), dx = u - x, dy = v - y, size = Math.hypot(dx, dy) || 1;
      const tip = Math.min(0.09, size / 2), [a, b] = [dx / size * tip, dy / size * tip];
      path.setAttribute("d", `M${x} ${-y}L${u} ${-v}M${u - a + b / 2} ${-(v - b - a / 2)}L${u} ${-v}L${u - a - b / 2} ${-(v - b + a / 2)}`);
    }
    walkers.forEach((dot, i) => {
      const [x, y] = walks[i][level];
      dot.setAttribute("cx", x);
      dot.setAttribute("cy", -y);
    });
  };

  // The slider --------------------------------------------------------------------------------------
  const show = () => {
    const level = Number(field.value);
    root.dataset.level = levels[level];
    value.textContent = `σ = ${shown(levels[level])}`;
    field.setAttribute("aria-valuetext", shown(levels[level]));
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", i === image));
    paintImages(level);
    paintPlane(level);
  };
  let timer = null;
  const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
  play.addEventListener("click", () => {
    if (timer !== null) { stop(); return; }
    play.textContent = "Stop";
    field.value = last;
    show();
    timer = setInterval(() => {
      field.value = Number(field.value) - 1;
      show();
      if (Number(field.value) === 0) { stop(); announce(say()); }
    }, 220);
  });
  field.addEventListener("input", () => { stop(); show(); announce(say()); });
  show();
  readSheet(data.images).then((found) => { pictures = found; show(); });
}
