"use strict";
const form = document.querySelector("form");
const rows = Array.from(document.querySelectorAll("details"));
const count = document.querySelector("output");
const texts = new Map();

function text(row) {
  if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
  return texts.get(row);
}

function filter() {
  const wanted = new Set(new FormData(form).getAll("show"));
  const kind = form.elements.kind.value;
  const search = form.elements.search.value.trim().toLowerCase();
  let shown = 0;
  for (const row of rows) {
    const fits = wanted.has(row.className) && (!kind || row.dataset.kinds?.split(" ").includes(kind))
      && (!search || text(row).includes(search));
    row.hidden = !fits;
    if (fits) shown += 1;
  }
  count.textContent = `${shown} of ${rows.length} commands`;
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", filter);
form.hidden = false;
filter();
