"use strict";
// Moves the timelines, shows events as they come, and asks for parts of the page anew. Without it the page still works.

const RENEW_AIR = 2000, MOST_EVENTS = 200;
let drawn = performance.now(), waiting = null;

function move() {
  const seconds = (performance.now() - drawn) / 1000;
  for (const one of document.querySelectorAll(".moving")) {
    one.setAttribute("x", (-seconds * Number(one.dataset.speed)).toFixed(3) + "%");
  }
}

async function ask(name) {
  try {
    const answer = await fetch("/" + name + location.search);
    return answer.ok ? await answer.text() : null;
  } catch {
    return null;
  }
}

function isUsed(part) {
  return part.contains(document.activeElement) || part.querySelector("details[open]") !== null;
}

// Where somebody is at a button, or has a table open, only what moves by itself is new.
const MOVING = [".heading p", ".timeline", "details .scroll"];

function renewServices(part, text) {
  const made = document.createElement("template");
  made.innerHTML = text;
  part.querySelector(".air").replaceWith(made.content.querySelector(".air"));
  for (const fresh of made.content.querySelectorAll(".service")) {
    const shown = part.querySelector(`.service[data-service="${CSS.escape(fresh.dataset.service)}"]`);
    for (const what of shown === null ? [] : MOVING) {
      shown.querySelector(what).replaceWith(fresh.querySelector(what));
    }
  }
}

async function renew(name) {
  const part = document.querySelector(`[data-part="${name}"]`);
  if (name !== "air" && isUsed(part)) return false;
  const text = await ask(name);
  if (text === null) return false;
  if (!isUsed(part)) part.innerHTML = text;
  else if (name === "air") renewServices(part, text);
  else return false;
  return true;
}

async function renewAir() {
  const asked = performance.now();
  if (await renew("air")) {
    drawn = asked + (performance.now() - asked) / 2;
    move();
  }
}

function heard(event) {
  const list = document.getElementById("events");
  list.insertAdjacentHTML("afterbegin", event.data);
  list.firstElementChild.classList.add("new");
  while (list.children.length > MOST_EVENTS) list.lastElementChild.remove();
  clearTimeout(waiting);
  waiting = setTimeout(() => { renew("subscribers"); renewAir(); }, 250);
}

const live = document.getElementById("live");
const events = new EventSource("/events?after=" + document.getElementById("events").dataset.last);
events.addEventListener("open", () => { live.textContent = "live"; live.classList.add("on"); });
events.addEventListener("error", () => { live.textContent = "no connection"; live.classList.remove("on"); });
events.addEventListener("happening", heard);

setInterval(renewAir, RENEW_AIR);
if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
  setInterval(move, 1000);
} else {
  const step = () => { move(); requestAnimationFrame(step); };
  requestAnimationFrame(step);
}
