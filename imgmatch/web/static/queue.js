import { byId, call, fail, keys, walk } from "./app.js";

walk("#rings tbody tr");
keys({
  n: () => byId("next")?.click(),
  "/": () => { byId("search").focus(); byId("search").select(); },
});
byId("takeup")?.addEventListener("click", () => call("POST", "/rings/take-up").then(() => location.assign("/rings"), fail));
for (const choice of document.querySelectorAll(".filters select")) choice.addEventListener("change", () => choice.form.requestSubmit());
