// What pages do besides htmx. Everything works without it, but drawing, the slider, and copying a picture.
"use strict";

const clamp = (value, least, most) => Math.min(most, Math.max(least, value));

function drawing() {
  const board = document.getElementById("board");
  const details = document.getElementById("draw");
  if (!board || !details || board.dataset.ready) return;
  board.dataset.ready = "1";
  const rect = document.getElementById("drawing");
  const fields = ["left", "top", "right", "bottom"].map((id) => document.getElementById(id));
  const width = Number(board.dataset.w);
  const height = Number(board.dataset.h);
  let start = null;

  const point = (event) => {
    const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(board.getScreenCTM().inverse());
    return [clamp(Math.round(p.x), 0, width), clamp(Math.round(p.y), 0, height)];
  };
  const show = (sides) => {
    rect.setAttribute("x", sides[0]);
    rect.setAttribute("y", sides[1]);
    rect.setAttribute("width", Math.max(0, sides[2] - sides[0]));
    rect.setAttribute("height", Math.max(0, sides[3] - sides[1]));
  };
  const mode = () => document.body.classList.toggle("is-drawing", details.open);
  details.addEventListener("toggle", mode);
  board.addEventListener("pointerdown", (event) => {
    if (!details.open || event.button !== 0) return;
    event.preventDefault();
    start = point(event);
    board.setPointerCapture(event.pointerId);
  });
  board.addEventListener("pointermove", (event) => {
    if (!start) return;
    const end = point(event);
    const sides = [Math.min(start[0], end[0]), Math.min(start[1], end[1]),
                   Math.max(start[0], end[0]), Math.max(start[1], end[1])];
    fields.forEach((field, n) => { field.value = sides[n]; });
    show(sides);
  });
  for (const name of ["pointerup", "pointercancel"]) board.addEventListener(name, () => { start = null; });
  board.addEventListener("click", (event) => { if (details.open) event.preventDefault(); });
  fields.forEach((field) => field.addEventListener("input", () => show(fields.map((f) => Number(f.value) || 0))));
}

function sliders() {
  for (const figure of document.querySelectorAll("[data-compare]")) {
    const range = figure.querySelector("input[type=range]");
    const clip = figure.querySelector("clipPath rect");
    const seam = figure.querySelector(".seam");
    range.addEventListener("input", () => {
      clip.setAttribute("width", range.value);
      seam.setAttribute("x1", range.value);
      seam.setAttribute("x2", range.value);
    });
  }
}

async function copyPicture(button) {
  const told = document.getElementById("copied");
  try {
    const image = await createImageBitmap(await (await fetch(button.dataset.copy)).blob());
    const canvas = document.createElement("canvas");
    canvas.width = image.width;
    canvas.height = image.height;
    canvas.getContext("2d").drawImage(image, 0, 0);
    const png = await new Promise((done) => canvas.toBlob(done, "image/png"));
    await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
    told.textContent = told.dataset.done;
  } catch {
    told.textContent = told.dataset.failed;
  }
}

// Enter does what its field is for, and nothing else: the form's first button is a disabled one.
document.addEventListener("keydown", (event) => {
  const field = event.target;
  if (event.key !== "Enter" || event.isComposing || !field.form || !field.matches("input, select")) return;
  const wanted = field.dataset.enter;
  if (!wanted && !field.form.querySelector("[data-no-enter]")) return;
  event.preventDefault();
  if (!wanted) return;
  const button = event.target.form.querySelector(`button[value="${wanted}"]`);
  if (event.target.value.trim() && button) event.target.form.requestSubmit(button);
});

function undoing() {
  const form = document.querySelector("[data-undo]");
  if (!form) return;
  const end = Date.now() + Number(form.dataset.undo) * 1000;
  const told = form.querySelector("[data-left]");
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    form.querySelector("button").disabled = left <= 0;
    if (left <= 0) { told.remove(); return; }
    told.textContent = `${left} s`;
    setTimeout(tick, 250);
  };
  tick();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copyPicture(button);
});
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-all]")) return;
  for (const box of event.target.form.querySelectorAll("input[name=file]")) box.checked = event.target.checked;
});
const ready = () => { drawing(); sliders(); undoing(); };
document.addEventListener("DOMContentLoaded", ready);
document.addEventListener("htmx:afterSettle", drawing);
