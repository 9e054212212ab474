// A lesson's page.

import * as figures from "./figures.js";
import {$, $$, data, query, say, store} from "./page.js";
import {Socket} from "./socket.js";
import {Kept, quiet, settle} from "./still.js";
import * as work from "./work.js";

const socket = data.kept ? new Kept() : new Socket(`${document.documentElement.lang}/${data.slug}`);
if (data.kept) quiet();
figures.begin(socket);
work.begin(socket);
if (data.kept) settle();

const redraw = () => {
  figures.redraw();
  work.redrawCharts();
};
document.addEventListener("themed", redraw);
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === width) return;
  width = innerWidth;
  redraw();
});
document.fonts?.ready.then(redraw);
document.addEventListener("disconnected", () => ($(".problem").textContent = say("offline")));
document.addEventListener("connected", () => ($(".problem").textContent = ""));

// In front of a class: large type, no hints; keys go from piece to piece.
if (query.has("present")) {
  document.documentElement.classList.add("present");
  addEventListener("keydown", (event) => {
    const by = {PageDown: 1, n: 1, PageUp: -1, p: -1}[event.key];
    if (!by || event.target.matches("input, textarea")) return;
    event.preventDefault();
    const pieces = $$(".piece[id]").filter((piece) => piece.offsetParent !== null), tops = pieces.map((piece) => piece.getBoundingClientRect().top - 80);
    const now = tops.findLastIndex((top) => top <= 4);
    pieces[Math.min(pieces.length - 1, Math.max(0, now + by))].scrollIntoView();
  });
}

// How far the reader has come: the map of the course shows it.
const progress = () => {
  const done = $$("[data-exercise]").filter((host) => store.get(`${data.slug}:answer:${host.dataset.exercise}`)?.right).length;
  store.set(`lesson:${data.slug}`, {at: Date.now(), piece: $(".rail a[aria-current]")?.hash.slice(1) ?? "", done, of: $$("[data-exercise]").length});
};
addEventListener("pagehide", progress);
addEventListener("visibilitychange", progress);
progress();
