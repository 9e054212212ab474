// The map of the course: what is done, what is due, and the progress as a file.

import {$, $$, data, say, store} from "./page.js";

const now = Date.now();
const pageOf = (name) => (data.kept ? `${name}.html` : `/${document.documentElement.lang}/${name}`);
const lesson = (slug) => store.get(`lesson:${slug}`);
const isDue = (question) => {
  const kept = store.get(`recall:${question}`);
  return kept && kept.due <= now;
};

function link(href, words) {
  return Object.assign(document.createElement("a"), {href, textContent: words});
}

function show() {
  let count = 0, first = null, latest = null;
  for (const item of $$("[data-slug]")) {
    const slug = item.dataset.slug, kept = lesson(slug), due = (data.questions[slug] ?? []).filter(isDue);
    item.classList.toggle("ok", Boolean(kept?.of && kept.done === kept.of));
    item.classList.toggle("now", Boolean(kept && kept.done < kept.of));
    item.classList.toggle("due", due.length > 0);
    count += due.length;
    if (due.length) first ??= slug;
    if (kept && kept.done < kept.of && (!latest || kept.at > lesson(latest).at)) latest = slug;
  }
  const lines = [];
  if (count) lines.push([say("due", {count}), link(pageOf("recall"), say("begin_recall"))]);
  if (latest) lines.push(["", link(`${pageOf(latest)}${lesson(latest).piece ? `#${lesson(latest).piece}` : ""}`, say("go_on", {title: data.titles[latest]}))]);
  if (!lines.length) lines.push(["", link(pageOf(data.ready[0]), say("begin"))]);
  $("#today").replaceChildren(...lines.map(([words, to]) => {
    const line = document.createElement("p");
    line.append(words, words ? document.createElement("br") : "", to);
    return line;
  }));
}

$("#export").addEventListener("click", () => {
  const kept = Object.fromEntries(store.keys().map((key) => [key, store.get(key)]));
  const file = new Blob([JSON.stringify({ichikara: 1, kept}, null, 1)], {type: "application/json"});
  const to = link(URL.createObjectURL(file), "");
  to.download = "ichikara-progress.json";
  to.click();
});

$("#import").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  try {
    if (file.size > 2_000_000) throw new Error("too large");
    const found = JSON.parse(await file.text());
    if (found.ichikara !== 1 || typeof found.kept !== "object") throw new Error("another file");
    for (const [key, value] of Object.entries(found.kept)) store.set(key, value);
    $("#progress").textContent = say("loaded");
    show();
  } catch {
    $("#progress").textContent = say("not_loaded");
  }
  event.target.value = "";
});

show();
