"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const main = byId("rings");
  const rings = Array.from(main.querySelectorAll(".ring"));
  const known = new Map(JSON.parse(byId("known").textContent).map((one, place) => [rings[place], one]));
  const dialog = byId("compare");
  const help = byId("help");
  const say = (text) => { byId("live").textContent = text; };
  const number = (count) => count.toLocaleString("en");

  // Pictures wait as text until their ring comes near.
  const data = (id) => "data:image/jpeg;base64," + byId(id).textContent;
  const fill = (root) => {
    for (const image of root.querySelectorAll("img[data-p]:not([src])")) image.src = data(image.dataset.p);
  };
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      near.unobserve(entry.target);
      fill(entry.target);
    }
  }, { rootMargin: "900px 0px" });
  for (const part of document.querySelectorAll(".ring, .rest")) near.observe(part);

  // Blur.
  const thumbs = (root) => Array.from(root.querySelectorAll(".thumb"));
  const isShown = (thumb) => thumb.classList.contains("shown");
  const show = (thumb, shown) => {
    thumb.classList.toggle("shown", shown);
    const next = !shown ? "Show " : thumb.classList.contains("reference") ? "Blur " : "Compare ";
    thumb.setAttribute("aria-label", thumb.getAttribute("aria-label").replace(/^\S+ /, next));
  };
  const all = byId("all");
  const showAll = (shown) => {
    for (const thumb of thumbs(document)) if (isShown(thumb) !== shown) show(thumb, shown);
    all.setAttribute("aria-pressed", String(shown));
    all.textContent = shown ? "Blur all pictures" : "Show all pictures";
    if (dialog.open) veil(!shown);
  };
  const isAll = () => all.getAttribute("aria-pressed") === "true";
  all.addEventListener("click", () => showAll(!isAll()));

  // Find and sort.
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  for (const one of known.values()) one.text = fold(one.text);
  const filter = byId("filter");
  const change = byId("change");
  const decided = byId("decided");
  const order = byId("order");
  const select = () => {
    const words = fold(filter.value).split(/\s+/);
    let count = 0;
    for (const ring of rings) {
      const one = known.get(ring);
      const fits = (!change || !change.value || one.changes.includes(change.value))
        && (!decided.value || one.decided === (decided.value === "yes"))
        && words.every((word) => one.text.includes(word));
      if (ring.hidden === fits) ring.hidden = !fits;
      count += fits;
    }
    const whole = `${number(rings.length)} ring${rings.length === 1 ? "" : "s"}`;
    byId("count").textContent = count === rings.length ? whole : `${number(count)} of ${whole}`;
    byId("nothing").hidden = count > 0 || rings.length === 0;
    if (unplaced.length) arrange();
  };
  filter.addEventListener("input", select);
  for (const choice of [change, decided]) if (choice) choice.addEventListener("change", select);

  // A card takes a tenth of a millisecond to move, and there may be a thousand: those at the top go at once, the others
  // after the frame that shows the answer, a batch a frame.
  const AT_ONCE = 40;
  const BATCH = 100;
  let ordered = rings;
  let unplaced = [];
  let placed = null;
  // Where the browser has it, a move that leaves the focus where it is.
  const move = main.moveBefore ? "moveBefore" : "insertBefore";
  const place = (count) => {
    for (const ring of unplaced.splice(0, count)) {
      const there = placed ? placed.nextElementSibling : main.firstElementChild;
      if (there !== ring) main[move](ring, there);
      placed = ring;
    }
  };
  const settle = () => place(unplaced.length);
  const placeLater = () => requestAnimationFrame(() => setTimeout(() => {
    place(BATCH);
    if (unplaced.length) placeLater();
  }));
  const arrange = () => {
    const idle = unplaced.length === 0;
    main.prepend(...ordered.filter((ring) => !ring.hidden).slice(0, AT_ONCE));
    [unplaced, placed] = [[...ordered], null];
    place(AT_ONCE);
    if (idle && unplaced.length) placeLater();
  };
  order.addEventListener("change", () => {
    const by = order.value;
    // The first order is the report's own: it settles ties.
    ordered = by === "size" ? rings : [...rings].sort((a, b) => known.get(b)[by] - known.get(a)[by]);
    arrange();
    // A new order is read from its top.
    last = null;
    if (main.getBoundingClientRect().top < 0) main.scrollIntoView({ block: "start" });
  });

  // Move.
  let last = null;
  const shownRings = () => {
    settle();
    return Array.from(main.querySelectorAll(".ring:not([hidden])"));
  };
  const step = (items, here, by) => items[Math.min(Math.max(items.indexOf(here) + by, 0), items.length - 1)];
  const go = (item, block) => {
    if (!item) return;
    item.focus({ preventScroll: true });
    item.scrollIntoView({ block });
  };
  const inView = (items) => items.findIndex((item) => item.getBoundingClientRect().bottom > 90);
  const moveRing = (by) => {
    const items = shownRings();
    const here = last && last.closest(".ring");
    const from = items.includes(here);
    go(from ? step(items, here, by) : items[Math.max(inView(items), 0)], "start");
  };
  const moveThumb = (by) => {
    const items = shownRings().flatMap(thumbs);
    if (last && last.matches(".thumb") && items.includes(last)) go(step(items, last, by), "nearest");
    else {
      const here = (last && !last.hidden && last.closest(".ring:not([hidden])")) || shownRings()[Math.max(inView(shownRings()), 0)];
      go(here && here.querySelector(".thumb"), "nearest");
    }
  };
  document.addEventListener("focusin", (event) => {
    const ring = event.target.closest(".ring");
    if (ring) last = event.target.closest(".thumb") || ring;
  });

  // Compare.
  const svg = (name, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const image = (it) => svg("image", { href: data(it.p), width: it.w, height: it.h, preserveAspectRatio: "none" });
  const photo = (width, height, label, ...parts) =>
    svg("svg", { class: "photo", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, ...parts);
  const laid = (it, way, sign) => svg("g", sign < 0 ? { transform: way, class: "inverted" } : { transform: way }, image(it));
  const turnedBack = (it, flip, turned, sign) => {
    const angle = (turned * Math.PI) / 180;
    const [cos, sin] = [Math.abs(Math.cos(angle)), Math.abs(Math.sin(angle))];
    const [width, height] = [it.w * cos + it.h * sin, it.w * sin + it.h * cos];
    const way = `translate(${width / 2} ${height / 2}) scale(${flip} 1) rotate(${-turned}) translate(${-it.w / 2} ${-it.h / 2})`;
    return photo(width, height, "The copy", laid(it, way, sign));
  };
  let compared = null;
  const copiesOf = (thumb) => {
    const group = thumb.closest(".group");
    return group ? thumbs(group).filter((one) => !one.classList.contains("reference")) : [];
  };
  const veil = (veiled) => {
    dialog.classList.toggle("veiled", veiled);
    byId("veil").textContent = veiled ? "Show" : "Blur";
  };
  const words = (flip, turned, sign) => {
    const parts = [];
    if (sign < 0) parts.push("a negative, inverted back");
    if (flip < 0) parts.push("mirrored back");
    if (turned > 2 && turned < 358) parts.push(`turned back ${turned}°`);
    return parts.join(", ") || "as it is";
  };
  const draw = (thumb) => {
    compared = thumb;
    const figure = thumb.closest(".copy");
    const group = thumb.closest(".group");
    const own = thumb.querySelector("img");
    const it = { p: own.dataset.p, w: Number(own.getAttribute("width")), h: Number(own.getAttribute("height")) };
    const [flip, turned, sign] = figure.dataset.turn.split(" ").map(Number);
    const { p, w, h } = group.dataset;
    const there = { p, w: Number(w), h: Number(h) };
    byId("right").replaceChildren(turnedBack(it, flip, turned, sign));
    byId("rightn").textContent = words(flip, turned, sign);
    byId("left").replaceChildren(p ? photo(there.w, there.h, "The reference", image(there)) : "It cannot be shown.");
    const matrix = p && figure.dataset.matrix;
    byId("laid").hidden = !matrix;
    byId("apart").hidden = Boolean(matrix) || !p;
    dialog.querySelector(".panes").classList.toggle("two", !matrix);
    if (matrix) {
      const over = svg("g", { class: "over" }, laid(it, `matrix(${matrix})`, sign));
      byId("both").replaceChildren(photo(there.w, there.h, "The copy laid over the reference", svg("g", {}, image(there)), over));
      over.style.opacity = byId("slider").value / 100;
    }
    byId("said").textContent = figure.querySelector("figcaption").innerText.split(/\s*\n\s*/).join(" · ");
    byId("facts").textContent = figure.dataset.told;
    const copies = copiesOf(thumb);
    byId("before").disabled = copies[0] === thumb;
    byId("after").disabled = copies.at(-1) === thumb;
    veil(!isShown(thumb));
  };
  const compare = (thumb) => {
    if (!thumb || !copiesOf(thumb).includes(thumb)) return;
    draw(thumb);
    dialog.showModal();
  };
  const stepCopy = (by) => draw(step(copiesOf(compared), compared, by));
  const toggleVeil = () => {
    const veiled = !dialog.classList.contains("veiled");
    veil(veiled);
    show(compared, !veiled);
  };
  const otherMode = () => { dialog.querySelector(".mode:not(:checked)").checked = true; };
  byId("before").addEventListener("click", () => stepCopy(-1));
  byId("after").addEventListener("click", () => stepCopy(1));
  byId("veil").addEventListener("click", toggleVeil);
  byId("slider").addEventListener("input", () => {
    dialog.querySelector(".over").style.opacity = byId("slider").value / 100;
  });
  dialog.addEventListener("close", () => { if (compared) compared.focus(); });

  // Clicks.
  const copyText = async (button) => {
    const code = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(code.textContent);
      say("Copied");
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    } catch {
      getSelection().selectAllChildren(code);
    }
  };
  document.addEventListener("click", (event) => {
    const thumb = event.target.closest(".thumb");
    const copy = event.target.closest("[data-copy]");
    const close = event.target.closest("[data-close]");
    if (thumb && !isShown(thumb)) show(thumb, true);
    else if (thumb && thumb.classList.contains("reference")) show(thumb, false);
    else if (thumb) compare(thumb);
    else if (copy) copyText(copy);
    else if (close) close.closest("dialog").close();
    else if (event.target.matches("dialog")) event.target.close();
  });
  byId("keys").addEventListener("click", () => help.showModal());

  // Keys.
  const thumbHere = () => document.activeElement && document.activeElement.closest(".thumb");
  const onPage = {
    j: () => moveRing(1),
    k: () => moveRing(-1),
    n: () => moveThumb(1),
    p: () => moveThumb(-1),
    b: () => showAll(!isAll()),
    v: () => { const thumb = thumbHere(); if (thumb) show(thumb, !isShown(thumb)); },
    c: () => compare(thumbHere()),
    "/": () => { filter.focus(); filter.select(); },
    "?": () => help.showModal(),
    Escape: () => showAll(false),
  };
  const comparing = {
    n: () => stepCopy(1),
    p: () => stepCopy(-1),
    v: toggleVeil,
    d: otherMode,
    b: () => showAll(!isAll()),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === filter) {
      if (event.key !== "Escape") return;
      filter.value = "";
      select();
      filter.blur();
    } else if (event.target.matches("select") || help.open) return;
    else {
      const act = (dialog.open ? comparing : onPage)[event.key];
      if (!act) return;
      act();
    }
    event.preventDefault();
  });

  // On paper there is nothing to unfold and nothing to wait for.
  let unfolded = [];
  addEventListener("beforeprint", () => {
    settle();
    fill(document);
    unfolded = Array.from(document.querySelectorAll(".folded:not([open])"));
    for (const fold of unfolded) fold.open = true;
  });
  addEventListener("afterprint", () => { for (const fold of unfolded) fold.open = false; });

  const bar = document.querySelector(".bar");
  bar.hidden = false;
  byId("waiting").hidden = true;
  new ResizeObserver(() => {
    document.documentElement.style.setProperty("--bar", `${bar.offsetHeight}px`);
  }).observe(bar);
})();
