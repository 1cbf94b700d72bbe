// What every page has: calls, covering, keys, a word at the bottom.
export const byId = (id) => document.getElementById(id);
export const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
const COVER_AFTER = 10_000;

// Calls: what writes says that it comes from this page.
export const call = async (method, url, body) => {
  const headers = { Accept: "application/json" };
  const meta = document.querySelector('meta[name="csrf"]');
  if (meta) headers["X-Imgmatch-CSRF"] = meta.content;
  if (body && !(body instanceof FormData)) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(url, { method, headers, body, credentials: "same-origin", redirect: "follow" });
  } catch {
    throw new Error("the server does not answer");
  }
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    if (response.status === 401) {
      location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
    }
    throw new Error(problem.detail || `the server answers ${response.status}`);
  }
  return response;
};
export const json = async (method, url, body) => (await call(method, url, body)).json();

// A word at the bottom, with things to do.
let toastEnds;
export const say = (text, actions = [], seconds = 8) => {
  const toast = byId("toast");
  toast.replaceChildren(Object.assign(document.createElement("span"), { textContent: text }));
  for (const [name, act] of actions) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: name });
    button.addEventListener("click", act);
    toast.append(button);
  }
  toast.hidden = false;
  clearTimeout(toastEnds);
  toastEnds = setTimeout(() => { toast.hidden = true; }, seconds * 1000);
};
export const fail = (error) => say(error.message[0].toUpperCase() + error.message.slice(1) + ".");

// Pictures are covered until somebody asks for them, and again soon after.
const choice = localStorage.getItem("cover");
if (choice) document.body.dataset.blur = choice;
const never = () => document.body.dataset.blur === "none";
const timers = new WeakMap();
const labelled = (pic, shown) => {
  const verb = !shown ? "Show" : pic.dataset.pair ? "Compare" : "Cover";
  pic.setAttribute("aria-label", `${verb} picture: ${pic.dataset.name}`);
};
export const isShown = (element) => never() || element.classList.contains("shown");
export const show = (element, shown) => {
  clearTimeout(timers.get(element));
  element.classList.toggle("shown", shown);
  if (element.matches(".pic")) labelled(element, shown);
  element.dispatchEvent(new CustomEvent("cover"));
  if (shown) timers.set(element, setTimeout(() => show(element, false), COVER_AFTER));
};
const coverable = () => all(".pic, .viewer");
export const coverAll = () => { for (const one of coverable()) if (one.classList.contains("shown")) show(one, false); };
export const revealAll = () => {
  for (const one of coverable()) show(one, true);
  const { page } = document.body.dataset;
  const ring = byId("ring")?.dataset.ring;
  call("POST", `/reveals?page=${page}${ring ? `&ring=${ring}` : ""}`).catch(fail);
};
addEventListener("blur", coverAll);
document.addEventListener("visibilitychange", () => { if (document.hidden) coverAll(); });
document.addEventListener("click", (event) => {
  const pic = event.target.closest(".pic");
  if (!pic) return;
  if (!isShown(pic)) show(pic, true);
  else if (!pic.dataset.pair) show(pic, false);
  if (pic.dataset.pair) document.dispatchEvent(new CustomEvent("compare", { detail: pic }));
});
document.addEventListener("error", (event) => {
  if (event.target.matches?.(".pic img")) event.target.parentElement.classList.add("gone");
}, true);

// Keys: never where somebody writes or a dialog is open, and not at all where they are turned off.
const actions = new Map();
export const keys = (more) => { for (const [key, act] of Object.entries(more)) actions.set(key, act); };
const off = () => localStorage.getItem("keys") === "off";
const writes = (target) => target.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (writes(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (off() && event.key !== "Escape") return;
  if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
  const act = actions.get(event.key);
  if (!act || (event.repeat && !/^[jk+\-]$/.test(event.key))) return;
  event.preventDefault();
  act(event);
});
const help = byId("help");
byId("keys")?.addEventListener("click", () => help.showModal());
byId("keysoff").checked = off();
byId("keysoff").addEventListener("change", (event) => localStorage.setItem("keys", event.target.checked ? "off" : "on"));
byId("cover").value = choice ?? "";
byId("cover").addEventListener("change", (event) => {
  if (event.target.value) localStorage.setItem("cover", event.target.value);
  else localStorage.removeItem("cover");
  location.reload();
});
keys({
  "?": () => help.showModal(),
  Escape: coverAll,
  b: () => (coverable().some((one) => one.classList.contains("shown")) ? coverAll() : revealAll()),
  v: () => {
    const here = document.activeElement?.closest(".item, .card") ?? document;
    const pics = all(".pic", here);
    const viewer = all(".viewer:not([hidden])");
    const shown = [...pics, ...viewer].some((one) => one.classList.contains("shown"));
    for (const one of here === document && viewer.length ? viewer : [...pics, ...viewer]) show(one, !shown);
  },
});
byId("logout")?.addEventListener("click", () => call("POST", "/logout").then(() => location.assign("/login"), fail));

// Next and previous of what a page lists.
export const walk = (selector, arrived = () => {}) => {
  const step = (by) => {
    const items = all(selector);
    const here = items.indexOf(document.activeElement?.closest(selector));
    const next = items[Math.min(Math.max(here + by, 0), items.length - 1)];
    if (!next) return;
    (next.matches("[tabindex]") ? next : next.querySelector("a"))?.focus();
    next.scrollIntoView({ block: "nearest" });
    arrived(next);
  };
  keys({ j: () => step(1), k: () => step(-1) });
};
