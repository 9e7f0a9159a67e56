// Files in pieces: each piece says where it belongs, and whatever breaks off, the server says where to go on. What has
// arrived once is recognised by its name, size and hash, so that the same files can be chosen again at any time.
"use strict";

const AT_ONCE = 3;
const PAUSE = 2000;
const HASHED = 256 << 20; // larger files are recognised by name and size
const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

class Refused extends Error {}

async function hash(file) {
  if (file.size > HASHED || !globalThis.crypto?.subtle) return "";
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function below(entry) {
  if (entry.isFile) return [await new Promise((done, failed) => { entry.file(done, failed); })];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, failed) => { reader.readEntries(done, failed); });
    if (!some.length) return found;
    for (const one of some) found.push(...await below(one));
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("upload");
  const input = document.getElementById("files");
  const drop = document.getElementById("drop");
  const list = document.getElementById("progress");
  const away = document.getElementById("away");
  const count = document.getElementById("count");
  const button = form.querySelector("button.primary");
  const chosen = document.getElementById("event");
  const day = document.getElementById("date");
  const csrf = { "X-CSRF-Token": form.dataset.csrf };
  let files = [];
  let unreached = 0;
  let dated = false;

  const described = () => {
    const known = Boolean(chosen && chosen.value);
    document.getElementById("new").hidden = known;
    document.getElementById("new").disabled = known;
    for (const id of ["title", "date"]) document.getElementById(id).required = !known;
  };
  described();
  if (chosen) chosen.addEventListener("change", described);
  day.addEventListener("change", () => { dated = true; });

  const take = (some) => {
    files = some;
    count.textContent = files.length ? form.dataset.count.replace("{}", String(files.length)) : "";
    const newest = Math.max(0, ...files.map((file) => file.lastModified));
    if (dated || !newest) return;
    const at = new Date(newest);
    const text = [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((n) => String(n).padStart(2, "0")).join("-");
    if (text <= day.max) day.value = text;
  };
  input.addEventListener("change", () => take([...input.files]));
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, async (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name !== "drop") return;
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
      const plain = [...event.dataTransfer.files];
      input.required = false;
      take(entries.length ? (await Promise.all(entries.map(below))).flat() : plain);
    });
  }

  const leaving = (event) => event.preventDefault();

  // Ask until there is an answer: a network that is away, a service that restarts (5xx) and a full place (503) pass.
  async function asked(url, options) {
    let lost = false;
    for (;;) {
      const answer = await fetch(url, options).catch(() => null);
      if (answer && (answer.status < 500 || answer.status === 507)) {
        if (lost) unreached -= 1;
        away.hidden = !unreached;
        if (answer.ok || answer.status === 409) return answer;
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        throw new Refused(page.querySelector("main p")?.textContent || page.body.textContent || String(answer.status));
      }
      if (!lost) unreached += 1;
      lost = true;
      away.hidden = false;
      await sleep(PAUSE);
    }
  }

  async function sent(file, bar) {
    const body = new URLSearchParams(new FormData(form));
    body.delete("files");
    body.set("name", file.name);
    body.set("size", String(file.size));
    body.set("sha256", await hash(file));
    const begun = await asked("/upload/begin", { method: "POST", headers: csrf, body });
    if (begun.status === 409) {
      const page = new DOMParser().parseFromString(await begun.text(), "text/html");
      throw new Refused(page.querySelector("main p")?.textContent || "409");
    }
    let state = await begun.json();
    if (state.done) return form.dataset.there;
    while (!state.done) {
      bar.value = state.received;
      const piece = file.slice(state.received, state.received + Number(form.dataset.piece));
      const headers = { ...csrf, "Upload-Offset": String(state.received), "Content-Type": "application/octet-stream" };
      const answer = await asked(`/upload/${state.id}`, { method: "PUT", body: piece, headers });
      if (!answer.headers.get("content-type")?.includes("json")) throw new Refused(form.dataset.changed);
      state = await answer.json();
    }
    return form.dataset.done;
  }

  function shown(file) {
    const line = document.createElement("li");
    const bar = document.createElement("progress");
    const told = document.createElement("span");
    bar.max = file.size;
    bar.value = 0;
    bar.setAttribute("aria-label", file.name);
    line.append(`${file.name} `, bar, " ", told);
    list.append(line);
    return { file, bar, told };
  }

  async function work(waiting) {
    let refused = 0;
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { file, bar, told } = next;
      try {
        told.textContent = await sent(file, bar);
        bar.value = file.size;
      } catch (error) {
        refused += 1;
        told.textContent = `${form.dataset.failed} ${error instanceof Refused ? error.message : form.dataset.changed}`;
      }
    }
    return refused;
  }

  const mine = document.getElementById("mine"); // made anew every few seconds: what is open stays open
  let open = new Set();
  mine.addEventListener("htmx:beforeSwap", () => {
    open = new Set([...mine.querySelectorAll("details[open]")].map((one) => one.dataset.event));
  });
  mine.addEventListener("htmx:afterSwap", () => {
    for (const one of mine.querySelectorAll("details")) one.open = open.has(one.dataset.event);
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    list.replaceChildren();
    button.disabled = true;
    addEventListener("beforeunload", leaving);
    const awake = await navigator.wakeLock?.request("screen").catch(() => null); // refused on a low battery
    const waiting = files.map(shown);
    const refused = await Promise.all(Array.from({ length: AT_ONCE }, () => work(waiting)));
    await awake?.release();
    removeEventListener("beforeunload", leaving);
    if (!refused.some(Boolean)) {
      input.value = "";
      input.required = true;
      take([]);
    }
    button.disabled = false;
    document.body.dispatchEvent(new Event("uploaded"));
  });
});
