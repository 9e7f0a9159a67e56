// Files in pieces: each piece says where it belongs, and after a lost connection the server says where to go on.
"use strict";

const PAUSE = 2000;
const TRIES = 30;
const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("upload");
  const input = document.getElementById("files");
  const drop = document.getElementById("drop");
  const list = document.getElementById("progress");
  const button = form.querySelector("button.primary");
  const chosen = document.getElementById("event");
  const csrf = { "X-CSRF-Token": form.dataset.csrf };

  const described = () => {
    const known = Boolean(chosen && chosen.value);
    document.getElementById("new").hidden = known;
    for (const id of ["title", "date"]) document.getElementById(id).required = !known;
  };
  described();
  if (chosen) chosen.addEventListener("change", described);
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop") input.files = event.dataTransfer.files;
    });
  }

  async function begun(file) {
    const body = new URLSearchParams(new FormData(form));
    body.delete("files");
    body.set("name", file.name);
    body.set("size", String(file.size));
    const answer = await fetch("/upload/begin", { method: "POST", headers: csrf, body });
    if (!answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      throw new Error(page.querySelector("main p")?.textContent || String(answer.status));
    }
    return answer.json();
  }

  async function sent(file, bar, told) {
    let state = await begun(file);
    let tries = 0;
    while (state.received < file.size) {
      const piece = file.slice(state.received, state.received + Number(form.dataset.piece));
      try {
        const answer = await fetch(`/upload/${state.id}`, {
          method: "PUT", body: piece,
          headers: { ...csrf, "Upload-Offset": String(state.received), "Content-Type": "application/octet-stream" },
        });
        if (!answer.ok && answer.status !== 409) throw new Error(String(answer.status));
        state = await answer.json();
        tries = 0;
      } catch (error) {
        tries += 1;
        if (tries > TRIES) throw error;
        told.textContent = form.dataset.again;
        await sleep(PAUSE);
        const answer = await fetch(`/upload/${state.id}`).catch(() => null);
        if (answer && answer.ok) state = await answer.json();
      }
      bar.value = state.received;
    }
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    let refused = false;
    list.replaceChildren();
    button.disabled = true;
    for (const file of [...input.files]) {
      const line = document.createElement("li");
      const bar = document.createElement("progress");
      const told = document.createElement("span");
      bar.max = file.size;
      bar.value = 0;
      bar.setAttribute("aria-label", file.name);
      line.append(`${file.name} `, bar, " ", told);
      list.append(line);
      try {
        await sent(file, bar, told);
        told.textContent = form.dataset.done;
      } catch (error) {
        refused = true;
        told.textContent = `${form.dataset.failed} ${error.message}`;
      }
    }
    if (!refused) input.value = "";
    button.disabled = false;
    document.body.dispatchEvent(new Event("uploaded"));
  });
});
