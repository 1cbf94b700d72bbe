// Photos that are dropped, pasted or chosen are sent at once.
import { byId, json } from "./app.js";

const form = byId("drop");
const wrong = byId("wrong");
const send = async (files) => {
  const photos = Array.from(files).filter((file) => file.size >= 0);
  wrong.hidden = true;
  if (!photos.length) {
    wrong.textContent = "There is no photo in that.";
    wrong.hidden = false;
    return;
  }
  const body = new FormData();
  photos.forEach((file, place) => body.append("photo", file, file.name || `pasted ${place + 1}`));
  body.append("account", byId("own").value);
  byId("go").disabled = true;
  byId("live").textContent = "Checking";
  try {
    location.assign((await json("POST", "/checks", body)).url);
  } catch (error) {
    wrong.textContent = `${error.message[0].toUpperCase()}${error.message.slice(1)}.`;
    wrong.hidden = false;
  } finally {
    byId("go").disabled = false;
  }
};
form.addEventListener("submit", (event) => { event.preventDefault(); send(byId("photo").files); });
byId("photo").addEventListener("change", (event) => send(event.target.files));
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) { event.preventDefault(); send(event.clipboardData.files); }
});
addEventListener("dragover", (event) => { event.preventDefault(); form.classList.add("over"); });
addEventListener("dragleave", () => form.classList.remove("over"));
addEventListener("drop", (event) => { event.preventDefault(); form.classList.remove("over"); send(event.dataTransfer.files); });
