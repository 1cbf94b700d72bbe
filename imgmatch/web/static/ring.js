// One ring after another: looked at, decided on, undone. The next one is loaded while this one is looked at.
import { byId, call, fail, json, keys, say, walk } from "./app.js";
import { attach, follow } from "./viewer.js";

const SIGN_OF_LIFE = 60_000;
const VERBS = { confirm: "Confirm", dismiss: "Dismiss", common: "Mark as common" };
const DONE = { confirm: "confirmed", dismiss: "dismissed", common: "marked as common" };
const required = JSON.parse(byId("required").textContent);
const ring = () => byId("ring").dataset;
const mayDecide = () => "mine" in ring();
let upcoming = null;
let about = null;
let skipped = null;
// The last decision outlasts the page: a ring may go by another name after it.
const last = {
  get value() { return JSON.parse(sessionStorage.getItem("decided") ?? "null"); },
  set value(made) { if (made) sessionStorage.setItem("decided", JSON.stringify(made)); else sessionStorage.removeItem("decided"); },
};

// Who has it open. One word after another: a sign of life that came in after "skip" or "leave" would take them back.
let told = Promise.resolve();
const tell = (url) => { told = told.catch(() => {}).then(() => call("POST", url)); return told; };
const review = async () => {
  if (!mayDecide() || document.hidden) return;
  const { ring: name } = ring();
  try {
    const said = await (await tell(`/rings/${name}/review`)).json();
    if (ring().ring !== name) return;
    const held = byId("held");
    held.hidden = said.mine;
    if (!said.mine) held.textContent = `${said.reviewer} has this ring open since ${said.since.slice(0, 16).replace("T", " ")}. You can decide all the same.`;
  } catch (error) { fail(error); }
};
const leave = (name) => { if (mayDecide()) tell(`/rings/${name}/leave`).catch(() => {}); };
setInterval(review, SIGN_OF_LIFE);
document.addEventListener("visibilitychange", review);

// The next ring.
const preload = () => {
  const { ring: name } = ring();
  upcoming = (async () => {
    const { url } = await json("GET", `/rings/next?without=${encodeURIComponent(name)}`);
    if (!url) return { url: "/rings?none=1", main: null };
    const text = await (await fetch(url, { headers: { Accept: "text/html" } })).text();
    const page = new DOMParser().parseFromString(text, "text/html");
    return { url, main: page.getElementById("ring"), title: page.title };
  })();
  upcoming.catch(() => {});
};
const start = () => { attach(); review(); preload(); };
const next = async () => {
  try {
    const { ring: name } = ring();
    const coming = await upcoming;
    leave(name);
    if (!coming?.main) { location.assign("/rings?none=1"); return; }
    byId("ring").replaceWith(coming.main);
    document.title = coming.title;
    history.pushState(null, "", coming.url);
    byId("main").focus({ preventScroll: true });
    scrollTo(0, 0);
    start();
  } catch { location.assign("/rings/next"); }
};
addEventListener("popstate", () => location.reload());
addEventListener("pagehide", () => {
  const body = new Blob([]);
  if (mayDecide()) fetch(`/rings/${ring().ring}/leave`, { method: "POST", keepalive: true, body, headers: { "X-Imgmatch-CSRF": document.querySelector('meta[name="csrf"]')?.content ?? "" } }).catch(() => {});
});

// Decide.
const dialog = byId("decide");
const refused = byId("refused");
const ask = (verdict, group, place) => {
  if (!mayDecide()) return;
  const { ring: name, version, accounts, pictures, owner } = ring();
  about = { verdict, version, name, ...(group ? { group } : { ring: name }) };
  byId("decideh").textContent = group ? `${VERBS[verdict]} picture ${place}` : `${VERBS[verdict]} ring ${name}`;
  byId("decidewhat").textContent = group ? `One decision on this picture, on whatever accounts of the ring it is.`
    : `One decision on all of it: ${accounts} accounts, ${pictures} picture${pictures === "1" ? "" : "s"}.${owner && verdict === "confirm" ? ` ${owner} had a picture first, and may be the victim: it is not among the ids to copy.` : ""}`;
  const must = required.includes(verdict);
  byId("needed").textContent = must ? "(must be given)" : "(may be left out)";
  byId("decideform").reset();
  refused.hidden = true;
  byId("again").hidden = true;
  let count = 0;
  for (const label of dialog.querySelectorAll("fieldset label:has(input)")) {
    label.hidden = Boolean(label.dataset.for) && label.dataset.for !== verdict;
    label.querySelector("kbd").textContent = label.hidden ? "" : `Alt ${++count}`;
  }
  dialog.showModal();
  byId("other").focus();
};
dialog.addEventListener("keydown", (event) => {
  if (event.altKey && /^Digit[1-9]$/.test(event.code)) {
    const choice = Array.from(dialog.querySelectorAll("fieldset label:has(input):not([hidden]) input"))[Number(event.code.at(-1)) - 1];
    if (choice) choice.checked = true;
    event.preventDefault();
  } else if (event.key === "Enter" && !event.shiftKey && event.target.matches("textarea, input")) {
    event.preventDefault();
    byId("decideform").requestSubmit(byId("say"));
  }
});
byId("look").addEventListener("click", () => location.assign(whereabouts()));
const whereabouts = () => {
  const groups = Array.from(document.querySelectorAll("thead th[data-group]"), (one) => `group=${encodeURIComponent(one.dataset.group)}`);
  return `/rings/of?was=${ring().ring}&${groups.join("&")}`;
};
const reason = () => [dialog.querySelector("input[name=reason]:checked")?.value, byId("other").value.trim()].filter(Boolean).join("; ");
const exported = (name, form) => call("POST", `/rings/${name}/export?form=${form}`);
const download = async (name) => {
  try {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(await (await exported(name, "csv")).blob()), download: `${name}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  } catch (error) { fail(error); }
};
const copy = async (name) => {
  try {
    const answer = await exported(name, "ids");
    await navigator.clipboard.writeText(await answer.text());
    const left = Number(answer.headers.get("X-Imgmatch-Left-Out"));
    if (left) { say(`The account ids are in the clipboard, but for ${left} that no line can hold: download the CSV.`); return; }
    say(`The account ids are in the clipboard${ring().ring === name && ring().owner ? `, without ${ring().owner}, who had a picture first` : ""}.`);
  } catch (error) { fail(error); }
};
const undo = async () => {
  try {
    if (skipped) {
      await call("POST", `/rings/take-up?ring=${skipped}`);
      location.assign(`/rings/${skipped}`);
      return;
    }
    if (!last.value) { say("Nothing was decided here that could be undone; see Decisions."); return; }
    const { number, where } = last.value;
    await json("POST", `/api/v1/decisions/${number}/undo`, {});
    last.value = { undone: number };
    location.assign(where);
  } catch (error) { last.value = null; fail(error); }
};
// What was said before the page changed.
const remembered = last.value;
if (remembered?.undone) {
  say(`Decision ${remembered.undone} is undone.`);
  last.value = null;
} else if (remembered?.fresh) {
  say(remembered.fresh, [["Undo (u)", undo]], 20);
  last.value = { ...remembered, fresh: undefined };
}
byId("decideform").addEventListener("submit", async (event) => {
  if (event.submitter?.value === "no") return;
  event.preventDefault();
  const { verdict, version, name, ...what } = about;
  if (required.includes(verdict) && !reason()) {
    refused.textContent = "A reason must be given here.";
    refused.hidden = false;
    return;
  }
  byId("say").disabled = true;
  try {
    const made = await json("POST", "/api/v1/decisions", { verdict, ...what, reason: reason() || null, expect: version });
    dialog.close();
    skipped = null;
    const said = `${what.ring ? `Ring ${name}` : "The picture"} is ${DONE[verdict]}.`;
    last.value = { number: made.decision, where: whereabouts() };
    const more = verdict === "confirm" && what.ring ? [["Copy account ids", () => copy(name)], ["CSV", () => download(name)]] : [];
    if (what.ring) await next();
    else {
      last.value = { ...last.value, fresh: said };
      location.assign(whereabouts());
    }
    say(said, [["Undo (u)", undo], ...more], 20);
  } catch (error) {
    refused.textContent = `${error.message[0].toUpperCase()}${error.message.slice(1)}.`;
    refused.hidden = false;
    byId("again").hidden = !error.message.includes("changed");
  } finally { byId("say").disabled = false; }
});
const skip = async () => {
  const name = ring().ring;
  try {
    await tell(`/rings/${name}/skip`);
    skipped = name;
    say(`Ring ${name} is put aside, for you, for twelve hours.`, [["Take it up again (u)", undo]]);
    await next();
  } catch (error) { fail(error); }
};
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-verdict], .deck button[data-act]");
  if (!button) return;
  const { verdict, group, place, act } = button.dataset;
  if (verdict) ask(verdict, group, place);
  else ({ skip, next, copy: () => copy(ring().ring), csv: () => download(ring().ring) })[act]();
});
keys({ c: () => ask("confirm"), d: () => ask("dismiss"), m: () => ask("common"), s: () => mayDecide() && skip(), n: next, u: undo });
walk("#items .item", follow);
start();
