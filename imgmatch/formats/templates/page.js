
"use strict";
(() => {
  const all = document.getElementById("all");
  const matches = Array.from(document.querySelectorAll(".match[tabindex]"));
  const keys = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 };

  for (const element of document.querySelectorAll("[hidden]")) element.hidden = false;
  const contents = document.querySelector(".contents");
  if (contents) document.querySelector(".top").after(contents);

  const blurAll = () => {
    all.checked = false;
    for (const reveal of document.querySelectorAll(".reveal")) reveal.checked = false;
  };
  const current = () => document.activeElement && document.activeElement.closest(".match[tabindex]");
  const move = (step) => {
    const place = matches.indexOf(current());
    const next = matches[place < 0 ? 0 : Math.min(Math.max(place + step, 0), matches.length - 1)];
    if (!next) return;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "start" });
  };
  const toggleReveal = (match) => {
    const reveal = match.querySelector(".reveal");
    if (reveal) reveal.checked = !reveal.checked;
  };
  const toggleMode = (match) => {
    const other = match.querySelector(".mode:not(:checked)");
    if (other) other.checked = true;
  };

  document.addEventListener("input", (event) => {
    if (event.target.type !== "range") return;
    event.target.closest(".laid").querySelector(".over").style.opacity = event.target.value / 100;
  });
  all.addEventListener("change", () => { if (!all.checked) blurAll(); });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const match = current();
    const own = event.target.matches("input[type=range], input[type=radio]");
    if (event.key === "Escape") blurAll();
    else if (event.key in keys && !(own && event.key.startsWith("Arrow"))) move(keys[event.key]);
    else if (match && event.key === "v") toggleReveal(match);
    else if (match && event.key === "d") toggleMode(match);
    else if (match && event.target === match && (event.key === " " || event.key === "Enter")) toggleReveal(match);
    else return;
    event.preventDefault();
  });
})();
