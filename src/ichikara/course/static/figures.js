// Figures that follow their controls: sliders, buttons and fields; handles on the figures; drawing.

import {draw, element, shortText} from "./charts.js";
import {$, $$, address, data, query, say} from "./page.js";

export const values = structuredClone(data.state.values);
const state = data.state, shown = {}; // by figure, the scales of its drawing
let socket, pending = new Set(); // names of controls whose change is not shown yet
let good = data.state.values; // the last values that all controls could have

// --- numbers -----------------------------------------------------------------------------------------------------------

// A format of Python's: [+][,][.digits][f|e|%|g|d]
export function format(value, form) {
  if (typeof value === "string" || value === null || value === undefined) return value ?? "";
  if (typeof value === "boolean") return say(value ? "yes" : "no");
  if (!form) return Number.isInteger(value) ? String(value).replace("-", "−") : shortText(value);
  const [, sign, comma, digits, kind] = form.match(/^(\+?)(,?)(?:\.(\d+))?([fe%gd]?)$/) ?? [];
  const number = kind === "%" ? value * 100 : value;
  let text;
  if (kind === "e") text = number.toExponential(digits ?? 6);
  else if (kind === "g") text = String(+number.toPrecision(digits ?? 6));
  else if (kind === "d" || (!kind && digits === undefined)) text = String(number);
  else text = number.toFixed(digits ?? 6);
  if (comma) text = text.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return ((sign && number > 0 ? "+" : "") + text + (kind === "%" ? "%" : "")).replaceAll("-", "−");
}

export function putNumbers(numbers, root = document) {
  for (const span of $$("[data-number]", root)) {
    const value = numbers[span.dataset.number];
    if (value !== undefined) span.textContent = format(value, span.dataset.format);
  }
}

export const named = (name, numbers) => Object.fromEntries(Object.entries(numbers ?? {}).map(([key, value]) => [`${name}.${key}`, value]));

// --- showing -----------------------------------------------------------------------------------------------------------

function show({figures, formulas, numbers}) {
  for (const [name, figure] of Object.entries(figures))
    for (const host of $$(`[data-figure="${name}"]`)) {
      shown[name] = draw(host, figure.chart);
      drawHandles(host, name, figure.handles);
      if (host.dataset.draw) drawing(host, name);
    }
  for (const [name, mathml] of Object.entries(formulas)) for (const host of $$(`[data-formula="${name}"]`)) host.innerHTML = mathml;
  putNumbers(numbers);
  lightTerms();
}

export const redraw = () => show(state);

// Ask for what has changed. Of requests that wait the newest is sent, and every answer is shown.
function changed(names, message = {ask: "figures"}) {
  names.forEach((name) => pending.add(name));
  const asked = [...pending], sent = {...values};
  socket.latest({...message, values: sent, changed: asked}, (found, last) => {
    tellProblem(found, sent, last);
    if (!found.figures) return;
    for (const [name, value] of Object.entries(found.values)) if (!same(value, sent[name])) values[name] = value; // moved by a handle
    for (const name of asked) if (same(values[name], sent[name])) pending.delete(name);
    for (const part of ["figures", "formulas", "numbers"]) Object.assign(state[part], found[part]);
    show(found);
    if (!last) return;
    putControls();
    address(addressOf());
  });
}

// A value that a control cannot have is answered beside it. What was typed stays in its field; the picture, which other
// controls go on moving, has the last value that could be used.
function tellProblem({error, control, values: found}, sent, last) {
  $(".lt .problem").textContent = control ? "" : (error ?? "");
  for (const [name, boxes] of Object.entries(controls))
    for (const {host} of boxes) {
      const place = $(".problem", host), input = $("input", host);
      if (!place) continue;
      if (name === control && input.value === sent[name]) place.textContent = error;
      else if (found && (found[name] === input.value || found[name] !== good[name])) place.textContent = "";
      input.toggleAttribute("aria-invalid", place.textContent !== "");
    }
  if (found) good = found;
  if (!control || !same(values[control], sent[control])) return;
  values[control] = structuredClone(good[control]);
  if (last) changed([]);
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const first = structuredClone(values);

function addressOf() {
  const found = {};
  for (const [name, value] of Object.entries(values)) found[name] = same(value, first[name]) ? undefined : typeof value === "string" ? value : JSON.stringify(value);
  return found;
}

function fromAddress() {
  const names = [];
  for (const name of Object.keys(values)) {
    if (!query.has(name)) continue;
    try {
      values[name] = typeof values[name] === "string" ? query.get(name) : JSON.parse(query.get(name));
      names.push(name);
    } catch {
      query.delete(name);
    }
  }
  return names;
}

// --- controls ----------------------------------------------------------------------------------------------------------

const position = ({low, high, log}, value) => (log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));

function valueAt({low, high, log, step, whole}, at) {
  const raw = log ? low * (high / low) ** at : low + at * (high - low);
  const value = whole ? Math.round(raw) : log ? +raw.toPrecision(3) : Math.round(raw / step) * step;
  return Math.min(high, Math.max(low, +value.toFixed(10)));
}

const controls = {};

function set(name, value) {
  values[name] = value;
  putControls();
  changed([name]);
}

function connect(host) {
  const {control: name, kind, low, high, step, log, unit} = host.dataset;
  const box = {host, kind, low: +low, high: +high, step: +step, log: log !== undefined, unit: unit ?? "", whole: Number.isInteger(+low) && Number.isInteger(+step) && +step >= 1};
  (controls[name] ??= []).push(box);
  const inputs = $$("input", host), [input] = inputs;
  if (kind === "slider") {
    if (!box.log && box.low < 0 && box.high > 0) input.style.setProperty("--z", `calc(10px + ${-box.low / (box.high - box.low)} * (100% - 20px))`);
    else input.style.setProperty("--z", "-9px");
    input.addEventListener("input", () => set(name, valueAt(box, +input.value)));
    const stepBy = (steps) => set(name, Math.min(box.high, Math.max(box.low, +(values[name] + steps * box.step).toFixed(10))));
    for (const button of $$("[data-by]", host)) button.addEventListener("click", () => stepBy(+button.dataset.by));
    input.addEventListener("keydown", (event) => {
      const by = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1}[event.key];
      if (!by) return;
      event.preventDefault();
      const steps = by * (event.shiftKey ? 5 : 1), now = values[name];
      if (!box.log) return stepBy(steps);
      const next = valueAt(box, Math.min(1, Math.max(0, position(box, now) + steps * 0.01)));
      set(name, box.whole && next === now ? Math.min(box.high, Math.max(box.low, now + by)) : next);
    });
  } else if (kind === "choice") inputs.forEach((one) => one.addEventListener("change", () => set(name, one.value)));
  else if (kind === "switch") input.addEventListener("change", () => set(name, input.checked));
  else if (kind === "matrix") {
    inputs.forEach((one, at) => one.addEventListener("input", () => {
      if (!one.validity.valid && !one.validity.stepMismatch) return;
      if (Number.isNaN(one.valueAsNumber)) return;
      const rows = structuredClone(values[name]), columns = rows[0].length;
      rows[Math.floor(at / columns)][at % columns] = one.valueAsNumber;
      set(name, rows);
    }));
    inputs.forEach((one) => one.addEventListener("blur", putControls));
  } else input.addEventListener("input", () => set(name, input.value));
}

function putControls() {
  for (const [name, boxes] of Object.entries(controls))
    for (const box of boxes) {
      const value = values[name], input = $("input", box.host);
      if (box.kind === "slider") {
        input.value = position(box, value);
        const decimals = Math.max(0, Math.min(4, -Math.floor(Math.log10(box.step) + 1e-9)));
        const text = (box.log || box.whole ? format(value) : format(value, `.${decimals}f`)) + (box.unit ? ` ${box.unit}` : "");
        $("output", box.host).textContent = text;
        input.setAttribute("aria-valuetext", text);
      } else if (box.kind === "choice") $$("input", box.host).forEach((radio) => (radio.checked = radio.value === value));
      else if (box.kind === "switch") input.checked = value;
      else if (box.kind === "matrix") $$("input", box.host).forEach((one, at) => document.activeElement === one || (one.value = value.flat()[at]));
      else if (document.activeElement !== input && !input.hasAttribute("aria-invalid")) input.value = value;
    }
}

// --- handles -----------------------------------------------------------------------------------------------------------

const coarse = matchMedia("(pointer: coarse)").matches;

function drawHandles(host, figure, handles) {
  const {x, y, layer} = shown[figure], focused = host.dataset.focus;
  host.onpointerleave = () => delete host.dataset.over;
  for (const handle of handles) {
    const key = `${handle.name}-${handle.index}`, [px, py] = [x(handle.x), y(handle.y)], over = handle.shape === "over", press = over || handle.shape === "button";
    const g = element("g", {tabindex: 0, role: "button", class: press ? "press" : "grab", "data-key": key}, layer);
    if (!press) g.setAttribute("aria-roledescription", say("draggable"));
    g.setAttribute("aria-label", handle.label || `${handle.name} ${format(handle.x, ".2f")}, ${format(handle.y, ".2f")}`);
    if (handle.to) element("line", {class: "hit", x1: px, y1: py, x2: x(handle.to[0]), y2: y(handle.to[1]), "stroke-width": coarse ? 44 : 30}, g);
    else element("circle", {class: "hit", cx: px, cy: py, r: coarse ? 22 : 20}, g);
    if (handle.shape === "foot") element("rect", {class: "foot", x: px - 5, y: py - 5, width: 10, height: 10}, g);
    if (handle.to) element("line", {class: "fr", x1: px, y1: py, x2: x(handle.to[0]), y2: y(handle.to[1])}, g);
    else element("circle", {class: "fr", cx: px, cy: py, r: 16}, g);
    if (over) g.addEventListener("pointerenter", () => touch(host, handle, key));
    if (press) g.addEventListener("click", () => move(host, handle, handle.x, handle.y, key));
    else g.addEventListener("pointerdown", (event) => drag(event, host, figure, handle, key));
    g.addEventListener("keydown", (event) => {
      if (press && (event.key === "Enter" || event.key === " ")) {
        event.preventDefault();
        return move(host, handle, handle.x, handle.y, key);
      }
      const by = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key];
      if (!by || press) return;
      event.preventDefault();
      const {chart} = state.figures[figure], times = event.shiftKey ? 5 : 1, up = chart.y?.down ? -1 : 1;
      const step = (axis) => times * (handle.step || (axis ? axis.limits[1] - axis.limits[0] : 1) / 100);
      move(host, handle, handle.x + by[0] * step(chart.x), handle.y + up * by[1] * step(chart.y), key);
    });
    g.addEventListener("focus", () => (host.dataset.focus = key));
    g.addEventListener("blur", () => setTimeout(() => document.activeElement?.closest?.("[data-key]") || delete host.dataset.focus));
    if (focused === key) g.focus({preventScroll: true});
  }
}

// The pointer is over a handle. What is drawn then lies under it again, and does not count as another touch.
function touch(host, handle, key) {
  if (host.dataset.over === key) return;
  host.dataset.over = key;
  changed([], {ask: "handle", name: handle.name, x: handle.x, y: handle.y, index: handle.index});
}

function move(host, handle, x, y, key) {
  host.dataset.focus = key;
  changed([], {ask: "handle", name: handle.name, x, y, index: handle.index});
}

const place = (host, figure, event) => {
  const svg = $(":scope > svg", host), point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  return [shown[figure].x.back(point.x), shown[figure].y.back(point.y)];
};

function follow(moved) {
  const end = () => {
    removeEventListener("pointermove", moved);
    for (const kind of ["pointerup", "pointercancel"]) removeEventListener(kind, end);
  };
  addEventListener("pointermove", moved);
  for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, end);
}

function drag(event, host, figure, handle, key) {
  event.preventDefault();
  host.dataset.focus = key;
  const begun = place(host, figure, event), from = handle.to ? [0, 0] : [handle.x - begun[0], handle.y - begun[1]];
  follow((now) => {
    const [x, y] = place(host, figure, now);
    move(host, handle, x + from[0], y + from[1], key);
  });
}

// --- drawing -----------------------------------------------------------------------------------------------------------

// On a figure that draws, the pointer sets heights of a curve, or cells of a drawing (rows from the top).
function drawing(host, figure) {
  const svg = $(":scope > svg", host), name = host.dataset.draw;
  svg.classList.add("draws");
  svg.addEventListener("pointerdown", (event) => {
    if (event.target.closest("[data-key]")) return;
    event.preventDefault();
    let last = null;
    const to = (now) => {
      const here = place(host, figure, now);
      for (const point of between(last ?? here, here)) paint(name, figure, point);
      trace(host, figure, last ?? here, here);
      last = here;
      changed([name]);
    };
    to(event);
    follow(to);
  });
}

// The pen's way, until the chart with what it has drawn arrives.
function trace(host, figure, [x0, y0], [x1, y1]) {
  const {x, y} = shown[figure];
  element("line", {class: "pen", x1: x(x0), y1: y(y0), x2: x(x1), y2: y(y1)}, $(":scope > svg", host));
}

function between([x0, y0], [x1, y1]) {
  const count = 16;
  return Array.from({length: count}, (_, i) => [x0 + ((x1 - x0) * (i + 1)) / count, y0 + ((y1 - y0) * (i + 1)) / count]);
}

function paint(name, figure, [x, y]) {
  const value = structuredClone(values[name]), {low, high} = data.drawn[name];
  if (Array.isArray(value[0])) {
    const rows = value.length, columns = value[0].length;
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) {
        const ink = Math.max(0, Math.min(1, 1.35 - Math.hypot(j + 0.5 - x, i + 0.5 - y) * (18 / rows)));
        value[i][j] = Math.max(value[i][j], Math.round(ink * 100) / 100);
      }
  } else {
    const [from, to] = state.figures[figure].chart.x.limits, i = Math.round(((x - from) / (to - from)) * (value.length - 1));
    if (i >= 0 && i < value.length) value[i] = +Math.min(high, Math.max(low, y)).toFixed(3);
  }
  values[name] = value;
}

// --- terms -------------------------------------------------------------------------------------------------------------

// A term of a formula and its control light each other.
function lightTerms() {
  for (const term of $$("[data-term]:not([data-lit])")) {
    term.dataset.lit = "";
    const light = (on) => () => $$(`[data-term="${term.dataset.term}"], [data-control="${term.dataset.term}"]`).forEach((one) => one.classList.toggle("lit", on));
    term.addEventListener("pointerenter", light(true));
    term.addEventListener("pointerleave", light(false));
  }
}

// --- begin -------------------------------------------------------------------------------------------------------------

export function begin(connection) {
  socket = connection;
  $$("[data-control]").forEach(connect);
  $$("[data-action]").forEach((button) => button.addEventListener("click", () => changed([], {ask: "action", name: button.dataset.action})));
  $$("[data-clear]").forEach((button) => button.addEventListener("click", () => set(button.dataset.clear, structuredClone(data.first[button.dataset.clear]))));
  const names = fromAddress();
  putControls();
  redraw();
  if (names.length) changed(names);
}
