// A film under review: the faces drawn over it follow it, and the timeline goes where it is asked to go.
"use strict";

document.addEventListener("DOMContentLoaded", async () => {
  const film = document.getElementById("film");
  if (!film) return;
  const board = document.getElementById("board");
  const clock = document.getElementById("clock");
  const play = document.getElementById("play");
  const lanes = [...document.querySelectorAll(".lane .now")];
  const faces = board ? [...board.querySelectorAll("[data-track]")] : [];
  const marks = board ? [...board.querySelectorAll("[data-from]")] : [];
  const known = board ? await (await fetch(board.dataset.paths)).json() : { paths: [], near: 0, duration: 0 };
  const length = () => film.duration || known.duration || 1;

  const between = (path, at) => {
    if (!path || at < path[0][0] - known.near || at > path.at(-1)[0] + known.near) return null;
    let after = path.findIndex((place) => place[0] > at);
    if (after < 0) after = path.length - 1;
    const [first, second] = [path[Math.max(0, after - 1)], path[after]];
    const span = second[0] - first[0];
    const part = span > 0 ? Math.min(1, Math.max(0, (at - first[0]) / span)) : 0;
    return [1, 2, 3, 4].map((k) => first[k] + (second[k] - first[k]) * part);
  };
  const seen = (element, shown) => element.setAttribute("visibility", shown ? "visible" : "hidden");
  const draw = () => {
    const at = film.currentTime;
    for (const face of faces) {
      const box = between(known.paths[Number(face.dataset.track)], at);
      seen(face, box);
      if (!box) continue;
      const [rect, text] = [face.querySelector("rect"), face.querySelector("text")];
      const line = Number(text.dataset.line);
      rect.setAttribute("x", box[0]);
      rect.setAttribute("y", box[1]);
      rect.setAttribute("width", box[2] - box[0]);
      rect.setAttribute("height", box[3] - box[1]);
      text.setAttribute("x", box[0]);
      text.setAttribute("y", Math.max(box[1] - line, line * 9));
    }
    for (const mark of marks) seen(mark, at >= Number(mark.dataset.from) && at < Number(mark.dataset.until));
    for (const now of lanes) {
      const x = String((1000 * at) / length());
      now.setAttribute("x1", x);
      now.setAttribute("x2", x);
    }
    const tenths = Math.round(at * 10);
    clock.textContent = `${Math.floor(tenths / 600)}:${String(Math.floor((tenths % 600) / 10)).padStart(2, "0")}.${tenths % 10}`;
  };
  const follow = () => {
    draw();
    if (!film.paused && !film.ended) requestAnimationFrame(follow);
  };
  const seek = (second) => {
    film.pause();
    film.currentTime = Math.min(length(), Math.max(0, second));
  };

  const failed = () => { document.getElementById("unplayable").hidden = false; };
  film.addEventListener("error", failed);
  if (film.error) failed();
  for (const name of ["loadedmetadata", "seeked", "timeupdate"]) film.addEventListener(name, draw);
  film.addEventListener("play", () => { play.setAttribute("aria-pressed", "true"); follow(); });
  for (const name of ["pause", "ended"]) {
    film.addEventListener(name, () => { play.setAttribute("aria-pressed", "false"); draw(); });
  }
  play.addEventListener("click", () => { if (film.paused) film.play().catch(failed); else film.pause(); });
  if (Number(film.dataset.at) > 0) seek(Number(film.dataset.at));

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-seek], [data-step], [data-now], .lane");
    if (!target) return;
    if (target.dataset.now) {
      document.getElementById(target.dataset.now).value = film.currentTime.toFixed(2);
    } else if (target.dataset.step) {
      seek(film.currentTime + Number(target.dataset.step));
    } else if (target.dataset.seek) {
      event.preventDefault();
      seek(Number(target.dataset.seek));
    } else {
      const box = target.getBoundingClientRect();
      seek((length() * (event.clientX - box.left)) / box.width);
    }
  });
  document.getElementById("draw")?.addEventListener("toggle", () => film.pause());
  draw();
});
