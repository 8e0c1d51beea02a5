"use strict";
for (const figure of document.querySelectorAll("figure.folding")) {
  const svg = figure.querySelector("svg.graph"), canvas = figure.querySelector(".canvas");
  const top = svg.querySelector(".level"), pick = figure.querySelector("select");
  const GAP = 12, PAD = 12, first = new WeakMap();
  let scale = 1, size = [0, 0];

  // A block opens in a panel below its row; what is below moves down.
  const original = (node, name) => {
    const known = first.get(node) || {};
    if (!(name in known)) { known[name] = node.getAttribute(name); first.set(node, known); }
    return known[name];
  };
  const moved = (path, at) => path.replace(/([MLCQV])([^A-Za-z]*)/g, (_, letter, rest) => {
    const values = rest.match(/-?(?:\d+\.?\d*|\.\d+)/g) || [];
    return letter + values.map((v, i) => letter === "V" || i % 2 ? +at(+v).toFixed(1) : v).join(" ");
  });
  const arrange = (level) => {
    const shown = [...level.children].filter((e) => e.matches(".inside") && e.getAttribute("display") !== "none");
    shown.sort((a, b) => a.dataset.at - b.dataset.at || a.dataset.x - b.dataset.x);
    let width = +level.dataset.w, extra = 0;
    const steps = [];
    for (const inside of shown) {
      const inner = inside.querySelector(".level");
      const [w, h] = arrange(inner), rect = inside.querySelector(".panel");
      const wide = Math.max(+inside.dataset.w, w), high = h + 26;
      rect.setAttribute("width", wide); rect.setAttribute("height", high);
      const x = Math.max(0, Math.min(+inside.dataset.x, width - 2 * PAD - wide));
      inside.setAttribute("transform", `translate(${x} ${+inside.dataset.at + extra + GAP / 2})`);
      extra += high + GAP;
      width = Math.max(width, x + wide + 2 * PAD);
      steps.push([+inside.dataset.at, extra]);
    }
    const at = (y) => { let add = 0; for (const [edge, sum] of steps) if (y > edge) add = sum; return y + add; };
    for (const path of level.querySelectorAll(":scope > path, :scope > g:not(.box):not(.inside) > path")) path.setAttribute("d", moved(original(path, "d"), at));
    for (const text of level.querySelectorAll(":scope > g:not(.box):not(.inside) > text")) text.setAttribute("y", at(+original(text, "y")));
    for (const box of level.querySelectorAll(":scope > g[transform]:not(.inside)")) {
      const [x, y] = original(box, "transform").match(/-?[\d.]+/g).map(Number);
      box.setAttribute("transform", `translate(${x} ${at(y)})`);
    }
    return [width, +level.dataset.h + extra];
  };
  const draw = () => {
    svg.setAttribute("viewBox", `0 0 ${Math.ceil(size[0])} ${Math.ceil(size[1])}`);
    svg.style.width = `${size[0] * scale}px`; svg.style.height = `${size[1] * scale}px`;
    figure.querySelector("output").textContent = `${Math.round(scale * 100)} %`;
  };
  const layOut = () => { size = arrange(top); draw(); };
  const inside = (box) => [...box.parentNode.children].find((e) => e.dataset.for === box.dataset.key);
  const set = (box, open) => {
    const panel = inside(box);
    panel.setAttribute("display", open ? "inline" : "none");
    box.setAttribute("aria-expanded", open);
    box.querySelector(".sign").textContent = open ? "−" : "+";
  };
  const toggle = (box) => { set(box, box.getAttribute("aria-expanded") !== "true"); layOut(); };
  for (const box of svg.querySelectorAll(".opens")) {
    const sign = document.createElementNS(svg.namespaceURI, "text");
    const frame = box.querySelector("rect");
    sign.setAttribute("class", "sign"); sign.setAttribute("x", frame.getAttribute("width") - 6); sign.setAttribute("y", frame.getAttribute("height") - 5);
    sign.setAttribute("text-anchor", "end"); sign.textContent = "+";
    box.append(sign);
    box.addEventListener("click", () => { if (!dragged) toggle(box); });
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); toggle(box); }
    });
  }
  const all = (open) => { for (const box of svg.querySelectorAll(".opens")) set(box, open); layOut(); };

  // Zoom and pan.
  const zoom = (to, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) => {
    const old = scale;
    scale = Math.min(4, Math.max(0.05, to));
    const left = (canvas.scrollLeft + x) * scale / old - x, above = (canvas.scrollTop + y) * scale / old - y;
    draw();
    canvas.scrollLeft = left; canvas.scrollTop = above;
  };
  const fit = () => zoom(Math.min(1, (canvas.clientWidth - 2) / size[0]));
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const frame = canvas.getBoundingClientRect();
    zoom(scale * Math.exp(-event.deltaY / 400), event.clientX - frame.left, event.clientY - frame.top);
  }, { passive: false });
  let start = null, dragged = false;
  canvas.addEventListener("pointerdown", (event) => { start = [event.clientX, event.clientY, canvas.scrollLeft, canvas.scrollTop]; dragged = false; });
  addEventListener("pointermove", (event) => {
    if (!start) return;
    const dx = event.clientX - start[0], dy = event.clientY - start[1];
    if (Math.abs(dx) + Math.abs(dy) > 4) dragged = true;
    canvas.classList.toggle("dragged", dragged);
    canvas.scrollLeft = start[2] - dx; canvas.scrollTop = start[3] - dy;
  });
  addEventListener("pointerup", () => { start = null; canvas.classList.remove("dragged"); });
  canvas.addEventListener("keydown", (event) => {
    const step = { "+": 1.25, "=": 1.25, "-": 0.8 }[event.key];
    if (step) { event.preventDefault(); zoom(scale * step); }
    if (event.key === "0") fit();
  });

  // The overlay: a color and a value for each box.
  const color = () => {
    const index = pick.selectedIndex - 1;
    for (const box of svg.querySelectorAll("g[data-v]")) {
      const values = JSON.parse(box.dataset.v), [level, words] = values[index] || [0, ""];
      const frame = box.querySelector("rect"), text = box.querySelector(".value");
      frame.style.fill = level ? `var(--l${level})` : "";
      frame.style.fillOpacity = level ? 1 : "";
      if (text) text.textContent = words;
    }
    for (const legend of figure.querySelectorAll(".legend")) legend.hidden = +legend.dataset.overlay !== index;
  };
  pick.addEventListener("change", color);
  const actions = { in: () => zoom(scale * 1.25), out: () => zoom(scale * 0.8), fit, open: () => all(true), fold: () => all(false) };
  for (const button of figure.querySelectorAll("button")) button.addEventListener("click", actions[button.dataset.do]);
  figure.querySelector(".tools").hidden = false;
  layOut();
  fit();
  color();
}
