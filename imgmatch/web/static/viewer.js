// Two photos in the frame of one of them: side by side, one in place of the other, or their difference; zoom and place
// are the same in both.
import { byId, isShown, keys, show } from "./app.js";

const NS = "http://www.w3.org/2000/svg";
const svg = (name, attributes = {}, ...children) => {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};
// Fetched once, though it is drawn several times: no browser keeps it.
const loaded = async (src) => {
  try {
    const response = await fetch(src);
    if (!response.ok) return null;
    const image = new Image();
    image.src = URL.createObjectURL(await response.blob());
    await image.decode();
    return { src: image.src, w: image.naturalWidth, h: image.naturalHeight, note: response.headers.get("X-Imgmatch-Note") };
  } catch {
    return null;
  }
};
const picture = (it) => svg("image", { href: it.src, width: it.w, height: it.h, preserveAspectRatio: "none" });

export class Viewer {
  constructor(root) {
    this.root = root;
    this.asked = 0;
    this.outline = true;
    this.difference = false;
    this.part = (name) => root.querySelector(`[data-${name}]`);
    this.stages = { query: root.querySelector('[data-pane="query"]'), stored: root.querySelector('[data-pane="stored"]') };
    for (const stage of Object.values(this.stages)) this.listen(stage);
    root.addEventListener("click", (event) => this.act(event.target.closest("[data-act]")?.dataset.act));
    root.addEventListener("cover", () => { this.button("veil").textContent = isShown(root) ? "Cover" : "Show"; });
    const flick = this.button("flick");
    flick.addEventListener("pointerdown", () => this.flick(true));
    for (const end of ["pointerup", "pointerleave", "pointercancel"]) flick.addEventListener(end, () => this.flick(false));
    document.addEventListener("keyup", (event) => { if (event.key === "f") this.flick(false); });
    keys({
      f: () => this.flick(true), x: () => this.act("difference"), o: () => this.act("outline"),
      "+": () => this.act("closer"), "-": () => this.act("farther"), 0: () => this.act("whole"),
    });
  }

  button(name) { return this.root.querySelector(`button[data-act="${name}"]`); }

  async open(pair, reveal) {
    const turn = ++this.asked;
    this.pair = pair;
    this.root.hidden = false;
    this.root.querySelector('[data-name="query"]').textContent = pair.query.name;
    this.root.querySelector('[data-name="stored"]').textContent = pair.stored.name;
    for (const name of ["query", "stored"]) this.root.querySelector(`[data-is="${name}"]`).textContent = pair[name].is;
    this.facts();
    const [query, stored] = await Promise.all([loaded(pair.query.src), loaded(pair.stored.src)]);
    if (turn !== this.asked) return;
    for (const old of [this.query, this.stored]) if (old) URL.revokeObjectURL(old.src);
    this.query = query;
    this.stored = stored;
    const aligned = query && stored && pair.map;
    this.part("say").textContent = !query || !stored ? "A picture is not to be had, so they cannot be compared."
      : aligned ? pair.of : "Where the shared part lies is not known, so the two stand side by side as they are.";
    for (const it of [query, stored]) if (it?.note) this.part("say").textContent += ` ${it.note[0].toUpperCase()}${it.note.slice(1)}.`;
    for (const name of ["flick", "difference", "outline"]) this.button(name).disabled = !aligned;
    this.matrix = aligned ? this.scaled(pair.map) : null;
    this.draw();
    this.act("whole");
    if (reveal !== undefined) show(this.root, reveal);
  }

  facts() {
    const rows = [[this.pair.kind[0], `${this.pair.kind[1]} Score ${this.pair.score}.`], ...this.pair.facts];
    this.part("facts").replaceChildren(...rows.map(([term, value], place) => {
      const row = document.createElement("div");
      if (!place) row.className = "wide";
      row.append(Object.assign(document.createElement("dt"), { textContent: term }), Object.assign(document.createElement("dd"), { textContent: value }));
      return row;
    }));
  }

  // From shares of the pictures to their pixels.
  scaled([a, b, c, d, e, f]) {
    const { query: q, stored: s } = this;
    return [(a * s.w) / q.w, (b * s.h) / q.w, (c * s.w) / q.h, (d * s.h) / q.h, e * s.w, f * s.h];
  }

  draw() {
    const { query, stored, matrix } = this;
    const over = () => (matrix ? this.lain(query, `matrix(${matrix.join(" ")})`) : this.turned(query));
    this.put("query", query && over());
    this.put("stored", stored && picture(stored));
    this.mix();
  }

  put(name, ...parts) {
    this.stages[name].replaceChildren(svg("svg", { role: "img", "aria-label": this.pair[name].name }, ...parts.filter(Boolean)));
  }

  // A negative is inverted back.
  lain(it, transform) {
    return svg("g", this.pair.negative ? { transform, class: "inverted" } : { transform }, picture(it));
  }

  // Without an outline it is at least turned back as far as that is known.
  turned(it) {
    const middle = `${it.w / 2} ${it.h / 2}`;
    const flip = this.pair.mirrored ? -1 : 1;
    return this.lain(it, `translate(${middle}) scale(${flip} 1) rotate(${-this.pair.rotation}) translate(-${it.w / 2} -${it.h / 2})`);
  }

  // What lies over the stored photo: nothing, the other one, or what differs.
  mix() {
    const stage = this.stages.stored;
    const drawing = stage.firstElementChild;
    if (!drawing) return;
    for (const old of drawing.querySelectorAll(".over, polygon")) old.remove();
    for (const old of this.stages.query.querySelectorAll("polygon")) old.remove();
    const over = this.matrix && (this.flicking || this.difference);
    stage.classList.toggle("dark", Boolean(over && this.difference && !this.flicking));
    if (over) {
      const group = svg("g", { class: this.flicking ? "over" : "over mix" }, this.lain(this.query, `matrix(${this.matrix.join(" ")})`));
      drawing.append(group);
    }
    if (this.outline && this.matrix && this.pair.outlines && !this.flicking) {
      const points = this.pair.outlines[1].map(([x, y]) => `${x * this.stored.w},${y * this.stored.h}`).join(" ");
      for (const one of Object.values(this.stages)) one.firstElementChild.append(svg("polygon", { class: "halo", points }), svg("polygon", { class: "edge", points }));
    }
  }

  flick(on) {
    if (Boolean(this.flicking) === on || this.root.hidden || !this.matrix) return;
    this.flicking = on;
    this.touch();
    this.mix();
  }

  // What is worked with stays shown; ten seconds after that it is covered.
  touch() { if (this.root.classList.contains("shown")) show(this.root, true); }

  act(name) {
    if (this.root.hidden) return;
    if (name && name !== "veil") this.touch();
    if (name === "veil") show(this.root, !isShown(this.root));
    else if (name === "difference" || name === "outline") {
      this[name] = !this[name];
      this.button(name).setAttribute("aria-pressed", String(this[name]));
      if (this.pair) this.mix();
      this.part("legend").hidden = !(this.difference && this.matrix);
    } else if (name === "closer") this.zoom(0.8);
    else if (name === "farther") this.zoom(1.25);
    else if (name === "whole" && (this.stored || this.query)) this.frame(this.whole());
  }

  whole() {
    const own = (it) => ({ x: -it.w * 0.02, y: -it.h * 0.02, w: it.w * 1.04, h: it.h * 1.04 });
    const stored = this.stored ? own(this.stored) : null;
    if (this.matrix || !this.query) return stored ?? own(this.query);
    this.alone = own(this.query);
    return stored ?? this.alone;
  }

  frame(view) {
    this.view = view;
    const text = ({ x, y, w, h }) => `${x} ${y} ${w} ${h}`;
    for (const [name, stage] of Object.entries(this.stages)) {
      const own = name === "query" && !this.matrix && this.alone ? this.alone : view;
      stage.firstElementChild?.setAttribute("viewBox", text(own));
    }
  }

  zoom(by, at = { x: 0.5, y: 0.5 }) {
    const { view } = this;
    if (!view) return;
    const w = Math.min(Math.max(view.w * by, 8), 1e5);
    const h = (view.h * w) / view.w;
    this.frame({ x: view.x + (view.w - w) * at.x, y: view.y + (view.h - h) * at.y, w, h });
  }

  listen(stage) {
    let last = null;
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.touch();
      const box = stage.getBoundingClientRect();
      this.zoom(event.deltaY < 0 ? 0.85 : 1.18, { x: (event.clientX - box.x) / box.width, y: (event.clientY - box.y) / box.height });
    }, { passive: false });
    stage.addEventListener("pointerdown", (event) => { this.touch(); last = event; stage.setPointerCapture(event.pointerId); });
    stage.addEventListener("pointermove", (event) => {
      if (!last || !this.view) return;
      const scale = Math.max(this.view.w, this.view.h) / stage.clientWidth;
      this.frame({ ...this.view, x: this.view.x - (event.clientX - last.clientX) * scale, y: this.view.y - (event.clientY - last.clientY) * scale });
      last = event;
    });
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => { last = null; });
  }
}

// The viewer of a page: what is clicked, or chosen by keys, is compared in it.
let viewer = null;
const choose = (pic, reveal) => {
  for (const old of document.querySelectorAll(".pic.chosen")) old.classList.remove("chosen");
  pic.classList.add("chosen");
  return viewer.open(JSON.parse(pic.dataset.pair), reveal);
};
document.addEventListener("compare", (event) => {
  if (!viewer) return;
  choose(event.detail, true);
  if (viewer.root.getBoundingClientRect().top > innerHeight / 2) viewer.root.scrollIntoView({ block: "start" });
});
const pairs = (item) => Array.from(item?.querySelectorAll(".pic[data-pair]") ?? []);
export const follow = (item) => { const [first] = pairs(item); if (first && viewer) choose(first); };
const across = (by) => {
  const chosen = document.querySelector(".pic.chosen");
  const row = pairs(chosen?.closest(".item"));
  const next = row[row.indexOf(chosen) + by];
  if (next) choose(next);
};
keys({
  Enter: (event) => {
    const chosen = document.querySelector(".pic.chosen");
    const item = event.target.closest(".item");
    (item?.contains(chosen) ? chosen : item?.querySelector(".pic"))?.click();
  },
  h: () => across(-1),
  l: () => across(1),
});
export const attach = () => {
  const root = byId("viewer");
  viewer = root && new Viewer(root);
  const first = document.querySelector(".matches .pic[data-pair], td .pic[data-pair]:not(.reference)");
  if (viewer && first) choose(first);
};
