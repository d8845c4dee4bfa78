"use strict";
const strip = document.querySelector(".strip");
const detail = document.querySelector(".detail");
if (strip) {
  const marks = Array.from(strip.querySelectorAll(".m"));
  const words = (mark) => mark.querySelector("title").textContent;
  const middle = (mark) => { const box = mark.getBBox(); return box.x + Math.min(box.width / 2, 30); };
  let current = null;

  function choose(mark, move) {
    if (!mark) return;
    if (current) current.classList.remove("on");
    current = mark;
    mark.classList.add("on");
    detail.textContent = `${mark.dataset.lane}: ${words(mark)}`;
    if (move) {
      const x = middle(mark);
      if (x < strip.scrollLeft + 20 || x > strip.scrollLeft + strip.clientWidth - 20) {
        strip.scrollLeft = x - strip.clientWidth / 2;
      }
    }
  }

  function nearest(lane, x) {
    let best = null, least = Infinity;
    for (const mark of marks) {
      if (mark.dataset.lane !== lane) continue;
      const far = Math.abs(middle(mark) - x);
      if (far < least) { least = far; best = mark; }
    }
    return best;
  }

  const lanes = Array.from(new Set(marks.map((mark) => mark.dataset.lane)));
  strip.addEventListener("pointerover", (event) => choose(event.target.closest(".m"), false));
  strip.addEventListener("click", (event) => choose(event.target.closest(".m"), false));
  strip.addEventListener("focus", () => { if (!current) choose(marks[0], true); });
  strip.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const jump = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!current || (!step && !jump && event.key !== "Home" && event.key !== "End")) return;
    event.preventDefault();
    const lane = marks.filter((mark) => mark.dataset.lane === current.dataset.lane);
    if (step) choose(lane[lane.indexOf(current) + step], true);
    else if (jump) choose(nearest(lanes[lanes.indexOf(current.dataset.lane) + jump], middle(current)), true);
    else choose(lane[event.key === "Home" ? 0 : lane.length - 1], true);
  });
  detail.hidden = false;
  document.querySelector(".hint").hidden = false;
}

const form = document.querySelector("form");
if (form) {
  const rows = Array.from(document.querySelectorAll("details.stkms tbody tr"));
  const filter = () => {
    const fate = form.elements.fate.value;
    let shown = 0;
    for (const row of rows) {
      row.hidden = fate !== "" && row.cells[4].textContent !== fate;
      if (!row.hidden) shown += 1;
    }
    form.querySelector("output").textContent = `${shown} of ${rows.length}`;
  };
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", filter);
  form.hidden = false;
  filter();
}
