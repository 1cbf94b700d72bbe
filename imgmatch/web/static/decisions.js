import { byId, call, fail, json } from "./app.js";

document.addEventListener("click", async (event) => {
  const number = event.target.closest("[data-undo]")?.dataset.undo;
  if (!number || !confirm(`Undo decision ${number}? What was decided before it counts again.`)) return;
  event.target.disabled = true;
  try {
    await json("POST", `/api/v1/decisions/${number}/undo`, {});
    location.reload();
  } catch (error) {
    event.target.disabled = false;
    fail(error);
  }
});
byId("export")?.addEventListener("click", async () => {
  try {
    const response = await call("POST", "/decisions/export");
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(await response.blob()), download: "decisions.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  } catch (error) { fail(error); }
});
