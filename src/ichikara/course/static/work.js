// What a learner does in a lesson: predictions, experiments, claims, exercises, recall.

import {draw} from "./charts.js";
import {named, putNumbers, redraw, values} from "./figures.js";
import {$, $$, address, data, query, recall, say, store, strings} from "./page.js";

const slug = data.slug;
let socket;
const drawn = []; // [element, chart] of charts that are not figures

function drawChart(host, chart, options) {
  if (!host || !chart) return;
  const known = drawn.find(([one]) => one === host);
  if (known) known[1] = chart;
  else drawn.push([host, chart, options]);
  draw(host, chart, options);
}

export const redrawCharts = () => drawn.forEach(([host, chart, options]) => host.isConnected && draw(host, chart, options));

// --- prediction --------------------------------------------------------------------------------------------------------

function open() {
  document.documentElement.classList.remove("shut-rest");
  $$(".rail li.shut").forEach((item) => item.classList.remove("shut"));
  redraw();
  redrawCharts();
}

async function reveal(host, mine, why) {
  const name = host.dataset.prediction, found = await socket.ask({ask: "predict", name});
  if (found.error) return;
  const inputs = $$(".opt input", host), several = inputs[0].type === "checkbox", agrees = (value) => mine.includes(value) === found.right.includes(value);
  host.classList.add("done");
  for (const input of inputs) {
    const value = input.value, said = mine.includes(value), is = found.right.includes(value);
    input.checked = said;
    input.disabled = true;
    drawChart($(`.pic[data-option="${value}"]`, host), found.charts[value], {compact: true});
    const verdict = $(`.verdict[data-option="${value}"]`, host), note = found.notes[value];
    if (!several && !said && !is && !note) continue;
    const rows = [[say("you"), say(said ? "chosen" : "not_chosen"), ""], [say("result"), note ?? say(is ? "chosen" : "not_chosen"), agrees(value) ? "" : say("differs")]];
    verdict.replaceChildren(...rows.flatMap(([term, words, more]) => {
      const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
      dt.textContent = term;
      dd.textContent = words;
      if (more) dd.append(Object.assign(document.createElement("b"), {textContent: ` ${more}`}));
      return [dt, dd];
    }));
  }
  $(".commit", host).hidden = true;
  const box = $(".fb", host), all = inputs.every((input) => agrees(input.value));
  box.hidden = false;
  for (const reply of $$(".reply", box)) {
    const key = reply.dataset.reply;
    reply.hidden = key === "right" ? !all : key === "after" ? false : several ? agrees(key) : all || mine[0] !== key;
  }
  $(".mine", box).textContent = why ? say("your_reason", {why}) : "";
  putNumbers(named(name, found.numbers), host);
  open();
}

function predictions() {
  const hosts = $$("[data-prediction]"), key = (host) => `${slug}:prediction:${host.dataset.prediction}`;
  for (const host of hosts) {
    const name = host.dataset.prediction, kept = store.get(key(host)), several = $(".opt input", host).type === "checkbox";
    for (const pic of $$(".pic[data-option]", host)) drawChart(pic, data.options[name][pic.dataset.option], {compact: true});
    $(".commit button", host).addEventListener("click", () => {
      const mine = $$(".opt input:checked", host).map((input) => input.value), why = $("input[name=why]", host).value.trim();
      if (!mine.length && !several) return void ($(".commit .note", host).hidden = false);
      store.set(key(host), {mine, why});
      address({open: 1});
      reveal(host, mine, why).then(() => $(".fb", host).focus({preventScroll: true}));
    });
    if (kept) reveal(host, kept.mine, kept.why);
  }
  if (query.has("open") || hosts.every((host) => store.get(key(host)))) open();
}

// --- experiments and claims --------------------------------------------------------------------------------------------

function experiments() {
  let going = false, next = null; // one runs at a time: another one ends it, and begins when it has ended
  for (const host of $$("[data-experiment]")) {
    const button = $("button", host), note = $(".row .note", host), caption = $("figcaption", host), words = button.textContent, {experiment: name} = host.dataset;
    let running = false, last = null;
    const ended = (error) => {
      going = running = false;
      button.textContent = words;
      if (error) note.textContent = error;
      else if (last && last.done < last.total) note.textContent = say("stopped", last);
      else caption.hidden = false;
      const after = next;
      next = null;
      after?.();
    };
    const begin = () => {
      going = running = true;
      last = null;
      caption.hidden = true;
      button.textContent = say("stop");
      socket.send({ask: "experiment", name, values: {...values}}, (step) => {
        if (step.error || step.ended) return ended(step.error);
        last = {done: step.done, total: step.total};
        note.textContent = say("count", last);
        drawChart($(".chart", host), step.chart);
        putNumbers(named(name, step.numbers), host);
      });
    };
    button.addEventListener("click", () => {
      if (!going) return begin();
      next = running ? null : begin;
      socket.send({ask: "stop"});
    });
    document.addEventListener("disconnected", () => running && ended());
  }
}

function claims() {
  for (const host of $$("[data-claim]")) {
    const button = $("button", host), note = $(".note", host);
    button.addEventListener("click", async () => {
      button.disabled = true;
      const found = await socket.ask({ask: "claim", name: host.dataset.claim});
      button.disabled = false;
      note.textContent = found.error ?? (found.holds ? "" : say("fails"));
      if (found.error) return;
      putNumbers(named(found.name, found.numbers), host);
      $(".result", host).hidden = false;
      const places = $(".charts", host), made = found.charts.map(() => Object.assign(document.createElement("div"), {className: "chart"}));
      places.replaceChildren(...made);
      places.classList.toggle("few", made.length < 3);
      found.charts.forEach((chart, i) => drawChart(made[i], chart));
    });
  }
}

// --- exercises ---------------------------------------------------------------------------------------------------------

function exercises() {
  for (const host of $$("[data-exercise]")) {
    const {exercise: name, kind} = host.dataset, button = $("button.btn", host), box = $(".fb", host), key = `${slug}:answer:${name}`;
    const own = $(".own input", host), area = $("textarea", host), fields = $$(".fields input", host), options = $$(".opts input", host);
    const answer = () => {
      if (kind === "code") return area.value;
      if (kind === "choice") return options.find((input) => input.checked)?.value ?? null;
      return Object.fromEntries(fields.map((input) => [input.name, input.value.trim()]));
    };
    const kept = store.get(key), keep = (more = {}) => store.set(key, {...store.get(key), answer: answer(), own: own.value, ...more});
    if (kept) {
      if (kind === "code") area.value = kept.answer;
      options.forEach((input) => (input.checked = input.value === kept.answer));
      fields.forEach((input) => (input.value = kept.answer?.[input.name] ?? ""));
      own.value = kept.own ?? "";
    }
    own.addEventListener("change", () => keep());
    for (const input of fields) input.addEventListener("keydown", (event) => event.key === "Enter" && button.click());
    button.addEventListener("click", async () => {
      button.disabled = true;
      box.classList.add("waits");
      const found = await socket.ask({ask: "exercise", name, answer: answer()});
      button.disabled = false;
      box.classList.remove("waits");
      tell(host, box, found);
      keep({right: found.kind === "right" || store.get(key)?.right === true});
    });
    if (area) editor(area);
  }
}

function tell(host, box, found) {
  const reply = found.kind === "right" ? "right" : found.kind === "wrong" ? found.wrong : "";
  let said = false;
  box.classList.toggle("no", found.kind !== "right");
  for (const one of $$(".reply", box)) said = !(one.hidden = one.dataset.reply !== reply) || said;
  $$(".general", box).forEach((one) => one.remove());
  const general = (words) => box.append(Object.assign(document.createElement("p"), {className: "general", textContent: words}));
  if (found.error || !said) {
    const key = strings[`page.answer.${found.wrong}`] ? `answer.${found.wrong}` : `program.${found.kind}`;
    general(found.error ?? say(key, {line: found.line ?? "", message: found.message ?? "", ...found.values}));
  }
  if (found.limited === false) general(say("program.unlimited"));
  putNumbers(named("answer", found.values), box);
  const printed = $(".printed", host);
  printed.hidden = !found.printed;
  printed.textContent = found.printed ?? "";
}

function editor(area) {
  let leaving = false;
  const numbers = area.previousElementSibling;
  const lines = () => {
    const count = Math.max(4, area.value.split("\n").length);
    area.rows = count;
    numbers.textContent = Array.from({length: count}, (_, i) => i + 1).join("\n");
  };
  area.addEventListener("input", lines);
  area.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return void (leaving = true);
    if (event.key === "Tab" && !leaving && !event.shiftKey) {
      event.preventDefault();
      area.setRangeText("    ", area.selectionStart, area.selectionEnd, "end");
      area.dispatchEvent(new Event("input"));
    }
    if (event.key !== "Tab") leaving = false;
  });
  lines();
}

export function begin(connection) {
  socket = connection;
  predictions();
  experiments();
  claims();
  exercises();
  recall();
}
