// Draws a chart, as `ichikara.charts.Chart.to_dict` gives it, into an element of the page. The colours are the page's.

const NS = "http://www.w3.org/2000/svg";
const GAP = 7, TICK = 5;
const INK = {ink: "var(--ink)", quiet: "var(--axis)", a: "var(--a)", b: "var(--b)"};

export function element(name, attributes = {}, parent = null, text = null) {
  const made = document.createElementNS(NS, name);
  for (const key in attributes) if (attributes[key] !== null) made.setAttribute(key, attributes[key]);
  if (text !== null) made.textContent = text;
  parent?.appendChild(made);
  return made;
}

const FAR = 1e6; // pixels; what lies farther away is drawn there

// A scale from numbers to pixels, and back.
function scaleOf(axis, from, to) {
  const log = axis.scale === "log", of = log ? Math.log10 : (x) => x, [low, high] = axis.limits.map(of);
  const scale = (x) => Math.max(-FAR, Math.min(FAR, from + ((of(x) - low) / (high - low)) * (to - from)));
  scale.back = (p) => {
    const x = low + ((p - from) / (to - from)) * (high - low);
    return log ? 10 ** x : x;
  };
  return scale;
}

// Draws the chart, and returns what is needed to move handles: {svg, x, y}, x and y scales.
export function draw(host, chart, {compact = false} = {}) {
  const graph = chart.marks.find((mark) => mark.kind === "Graph");
  if (graph) return drawGraph(host, chart, graph);
  const images = chart.marks.find((mark) => mark.kind === "Images");
  if (images) return drawImages(host, chart, images);
  const plain = {scale: "linear", limits: [0, 1], ticks: [], title: ""};
  const xAxis = chart.x ?? plain, yAxis = chart.y ?? plain;
  const width = Math.max(host.clientWidth || 0, compact ? 90 : 120);
  const inside = compact ? 4 : 0;
  const left = compact ? inside : 14 + Math.max(10, ...yAxis.ticks.map((tick) => measure(tick.text)));
  const top = compact ? inside : yAxis.title ? 26 : 10, bottom = compact ? inside : xAxis.title ? 46 : 26, right = compact ? inside : 12;
  const across = width - left - right, ticksOf = (axis) => (across < 150 ? axis.ticks.filter((_, i) => i % 2 === 0) : axis.ticks);
  const ratio = chart.equal ? (span(yAxis) / span(xAxis)) : compact ? 1 : 0.62;
  const height = Math.round(across * ratio) + top + bottom;
  const svg = start(host, width, height, chart.alt);
  const x = scaleOf(xAxis, left, left + across);
  const y = yAxis.down ? scaleOf(yAxis, top, height - bottom) : scaleOf(yAxis, height - bottom, top);
  const area = {left, right: left + across, top, bottom: height - bottom};
  const clip = `clip${++clips}`;
  element("rect", {x: left, y: top - 1, width: across, height: height - bottom - top + 2}, element("clipPath", {id: clip}, element("defs", {}, svg)));
  const under = element("g", {"clip-path": `url(#${clip})`}, svg), axes = element("g", {}, svg), marks = element("g", {"clip-path": `url(#${clip})`}, svg);
  const labels = element("g", {}, svg);
  if (!compact && chart.x && chart.y) drawAxes(axes, {...xAxis, ticks: ticksOf(xAxis)}, {...yAxis, ticks: ticksOf(yAxis)}, x, y, area);
  else if (!compact) element("rect", {x: left, y: top, width: across, height: height - bottom - top, class: "ax"}, axes);
  for (const mark of chart.marks) PAINT[mark.kind]?.(mark.kind === "Raster" || mark.kind === "Area" ? under : marks, mark, x, y, area, host);
  if (!compact) placeLabels(labels, chart.marks, x, y, area);
  return {svg, x, y, area, layer: element("g", {class: "handles"}, svg)};
}

let clips = 0;
const span = (axis) => axis.limits[1] - axis.limits[0];

function start(host, width, height, alt) {
  host.querySelector(":scope > svg")?.remove();
  host.querySelectorAll(":scope > canvas").forEach((canvas) => canvas.remove());
  const svg = element("svg", {viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": alt || ""});
  host.style.position = "relative";
  host.prepend(svg);
  return svg;
}

let ruler;
function measure(text, size = 14) {
  ruler ??= document.createElement("canvas").getContext("2d");
  ruler.font = `${size}px Sans, Kaku, sans-serif`;
  return ruler.measureText(text).width;
}

function drawAxes(g, xAxis, yAxis, x, y, area) {
  for (const [axis, scale, level] of [[xAxis, x, false], [yAxis, y, true]])
    if (axis.scale !== "log" && !axis.names?.length && axis.limits[0] < 0 && axis.limits[1] > 0)
      element("path", {class: "gr", d: level ? `M${area.left} ${scale(0)}H${area.right}` : `M${scale(0)} ${area.top}V${area.bottom}`}, g);
  const told = (axis) => axis.ticks.length || axis.title; // an axis that says nothing is not drawn
  if (told(yAxis)) element("path", {class: "ax", d: `M${area.left} ${area.top}V${area.bottom}`}, g);
  if (told(xAxis)) element("path", {class: "ax", d: `M${area.left} ${area.bottom}H${area.right}`}, g);
  for (const tick of xAxis.ticks) {
    element("path", {class: "ax", d: `M${x(tick.at)} ${area.bottom}v${TICK}`}, g);
    element("text", {x: x(tick.at), y: area.bottom + 20, "text-anchor": "middle"}, g, tick.text);
  }
  for (const tick of yAxis.ticks) {
    element("path", {class: "ax", d: `M${area.left} ${y(tick.at)}h${-TICK}`}, g);
    element("text", {x: area.left - 9, y: y(tick.at) + 5, "text-anchor": "end"}, g, tick.text);
  }
  element("text", {x: area.right, y: area.bottom + 40, "text-anchor": "end"}, g, xAxis.title);
  element("text", {x: Math.max(2, area.left - 6), y: area.top - 12, "text-anchor": "start"}, g, yAxis.title);
}

const dash = (mark) => (mark.dashed ? "6 4" : null);
const path = (xs, ys, x, y) => {
  let text = "", pen = false;
  xs.forEach((value, i) => {
    const here = value === null || ys[i] === null ? null : [x(value), y(ys[i])];
    if (here && here.every(Number.isFinite)) {
      text += `${pen ? "L" : "M"}${here[0].toFixed(2)} ${here[1].toFixed(2)}`;
      pen = true;
    } else pen = false;
  });
  return text;
};

// The outlines of dots that are not discs, all equally large.
const SHAPES = {
  square: (x, y, r) => `M${x - 0.89 * r} ${y - 0.89 * r}h${1.78 * r}v${1.78 * r}h${-1.78 * r}Z`,
  triangle: (x, y, r) => `M${x} ${y - 1.2 * r}l${1.2 * r} ${2.2 * r}h${-2.4 * r}Z`,
  diamond: (x, y, r) => `M${x} ${y - 1.2 * r}l${1.2 * r} ${1.2 * r}l${-1.2 * r} ${1.2 * r}l${-1.2 * r} ${-1.2 * r}Z`,
};

const PAINT = {
  Line(g, mark, x, y) {
    const width = mark.ink === "quiet" ? 1 : 2.25;
    element("path", {d: path(mark.x, mark.y, x, y), fill: "none", stroke: INK[mark.ink], "stroke-width": width, "stroke-linejoin": "round", "stroke-dasharray": dash(mark)}, g);
  },
  Dots(g, mark, x, y, area, host) {
    const many = mark.x.length > 600;
    if (many) return dotsOnCanvas(host, mark, x, y, area);
    const size = mark.size * (mark.x.length > 60 ? 3.2 : mark.x.length > 20 ? 4.6 : 6.6);
    mark.x.forEach((value, i) => {
      if (value === null || mark.y[i] === null) return;
      const style = mark.hollow ? {fill: mark.dashed ? "none" : "var(--paper)", stroke: INK[mark.ink], "stroke-width": Math.max(1.5, Math.min(2.5, size / 2.7)), "stroke-dasharray": dash(mark)} : {fill: INK[mark.ink], stroke: "var(--paper)", "stroke-width": size > 4 ? 1.5 : 0.75};
      const r = mark.hollow ? size * 0.83 : size, shape = SHAPES[mark.shape];
      if (shape) element("path", {d: shape(x(value), y(mark.y[i]), r), ...style}, g);
      else element("circle", {cx: x(value), cy: y(mark.y[i]), r, ...style}, g);
    });
  },
  Bars(g, mark, x, y) {
    mark.x.forEach((at, i) => {
      const height = mark.height[i];
      if (at === null || height === null) return;
      const sides = mark.lying ? [x(mark.base), x(height), y(at - mark.width / 2), y(at + mark.width / 2)] : [x(at - mark.width / 2), x(at + mark.width / 2), y(mark.base), y(height)];
      const [x0, x1, y0, y1] = sides;
      element("rect", {x: Math.min(x0, x1), y: Math.min(y0, y1), width: Math.abs(x1 - x0), height: Math.abs(y1 - y0), fill: INK[mark.ink], "fill-opacity": mark.ink === "quiet" ? 0.45 : 0.85}, g);
    });
  },
  Area(g, mark, x, y) {
    const back = [...mark.x].reverse();
    const d = path(mark.x, mark.high, x, y) + path(back, [...mark.low].reverse(), x, y).replace(/^M/, "L") + "Z";
    element("path", {d, fill: INK[mark.ink], "fill-opacity": 0.16}, g);
  },
  Rule(g, mark, x, y, area) {
    const d = mark.x === null ? `M${area.left} ${y(mark.y)}H${area.right}` : `M${x(mark.x)} ${area.top}V${area.bottom}`;
    element("path", {d, stroke: INK[mark.ink], "stroke-width": 1, "stroke-dasharray": dash(mark), fill: "none"}, g);
  },
  Arrows(g, mark, x, y) {
    mark.x.forEach((value, i) => {
      const x0 = x(value), y0 = y(mark.y[i]), x1 = x(value + mark.dx[i]), y1 = y(mark.y[i] + mark.dy[i]);
      const angle = Math.atan2(y1 - y0, x1 - x0), length = Math.hypot(x1 - x0, y1 - y0), head = Math.min(11, length * 0.5);
      if (!(length > 0.5)) return;
      element("line", {x1: x0, y1: y0, x2: x1 - head * 0.7 * Math.cos(angle), y2: y1 - head * 0.7 * Math.sin(angle), stroke: INK[mark.ink], "stroke-width": 2.25, "stroke-dasharray": dash(mark)}, g);
      element("path", {d: `M0 0L${-head} ${-head * 0.55}L${-head} ${head * 0.55}Z`, fill: INK[mark.ink], transform: `translate(${x1} ${y1}) rotate(${(angle * 180) / Math.PI})`}, g);
    });
  },
  Raster(g, mark, x, y, area, host) {
    const rows = mark.values, tint = tints(mark), small = rows.length * rows[0].length <= 225;
    if (!small || !mark.text) rasterOnCanvas(host, rows, tint, mark, x, y, area);
    if (small && mark.text)
      rows.forEach((row, i) => row.forEach((value, j) => {
        const x0 = x(mark.x[0] + ((mark.x[1] - mark.x[0]) * j) / row.length), x1 = x(mark.x[0] + ((mark.x[1] - mark.x[0]) * (j + 1)) / row.length);
        const y0 = y(mark.y[0] + ((mark.y[1] - mark.y[0]) * i) / rows.length), y1 = y(mark.y[0] + ((mark.y[1] - mark.y[0]) * (i + 1)) / rows.length);
        const [ink, share] = tint(value);
        element("rect", {x: Math.min(x0, x1), y: Math.min(y0, y1), width: Math.abs(x1 - x0) - 1, height: Math.abs(y1 - y0) - 1, fill: INK[ink], "fill-opacity": share * 0.55, stroke: "var(--rule)", "stroke-width": 0.5}, g);
        if (value !== null) element("text", {x: (x0 + x1) / 2, y: (y0 + y1) / 2 + 5, "text-anchor": "middle", class: "w-ink"}, g, mark.text === true ? shortText(value) : mark.text[i][j]);
      }));
    for (const level of mark.levels) element("path", {d: contour(rows, level, mark, x, y), stroke: "var(--ink2)", "stroke-width": 1, fill: "none"}, g);
  },
  Label(g, mark, x, y) {
    element("text", {x: x(mark.x), y: y(mark.y) + 5, "text-anchor": mark.anchor, class: `w-${mark.ink}`}, g, mark.text);
  },
};

// The ink of a number in a raster, and how deep it is, in ten flat steps.
function tints(mark) {
  const all = mark.values.flat().filter((value) => value !== null);
  const [low, high] = mark.limits ?? [Math.min(...all), Math.max(...all)];
  const steps = (share) => Math.round(Math.max(0, Math.min(1, share)) * 10) / 10;
  if (mark.middle === null) return (value) => (value === null ? ["quiet", 0] : [mark.ink, steps((value - low) / (high - low || 1))]);
  const reach = Math.max(high - mark.middle, mark.middle - low) || 1;
  return (value) => (value === null ? ["quiet", 0] : [value < mark.middle ? "a" : "b", steps(Math.abs(value - mark.middle) / reach)]);
}

const colour = (name) => {
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name.slice(4, -1)).trim();
  probe.fillRect(0, 0, 1, 1);
  return probe.getImageData(0, 0, 1, 1).data;
};

function canvasUnder(host, area) {
  const canvas = document.createElement("canvas"), ratio = window.devicePixelRatio || 1;
  canvas.setAttribute("aria-hidden", "true");
  Object.assign(canvas.style, {position: "absolute", left: `${area.left}px`, top: `${area.top}px`, width: `${area.right - area.left}px`, height: `${area.bottom - area.top}px`});
  canvas.width = (area.right - area.left) * ratio;
  canvas.height = (area.bottom - area.top) * ratio;
  host.prepend(canvas);
  host.querySelector(":scope > svg").style.position = "relative";
  return [canvas, canvas.getContext("2d"), ratio];
}

function rasterOnCanvas(host, rows, tint, mark, x, y, area) {
  const [canvas, context] = canvasUnder(host, area), height = rows.length, width = rows[0].length;
  const image = new ImageData(width, height), inks = {a: colour(INK.a), b: colour(INK.b), ink: colour(INK.ink), quiet: colour(INK.quiet)};
  const up = y(mark.y[0]) > y(mark.y[1]);
  rows.forEach((row, i) => row.forEach((value, j) => {
    const [ink, share] = tint(value), at = 4 * ((up ? height - 1 - i : i) * width + j);
    image.data.set([...inks[ink].slice(0, 3), Math.round(share * 0.55 * 255)], at);
  }));
  if (mark.levels.length) return smoothOnCanvas(canvas, context, rows, tint, inks, up);
  const small = document.createElement("canvas");
  [small.width, small.height] = [width, height];
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  const ratio = canvas.width / (area.right - area.left);
  const x0 = (x(mark.x[0]) - area.left) * ratio, x1 = (x(mark.x[1]) - area.left) * ratio;
  const y0 = (Math.min(y(mark.y[0]), y(mark.y[1])) - area.top) * ratio, y1 = (Math.max(y(mark.y[0]), y(mark.y[1])) - area.top) * ratio;
  context.drawImage(small, x0, y0, x1 - x0, y1 - y0);
}

// Where levels are drawn the numbers are those of a smooth function: each pixel has its own number, between four of them.
function smoothOnCanvas(canvas, context, rows, tint, inks, up) {
  const [w, h] = [Math.round(canvas.width / 2), Math.round(canvas.height / 2)], image = new ImageData(w, h), height = rows.length, width = rows[0].length;
  for (let i = 0; i < h; i++) {
    const v = Math.min(height - 1, Math.max(0, ((up ? h - 1 - i : i) + 0.5) * (height / h) - 0.5)), r = Math.min(height - 2, Math.floor(v)), s = v - r;
    for (let j = 0; j < w; j++) {
      const u = Math.min(width - 1, Math.max(0, (j + 0.5) * (width / w) - 0.5)), c = Math.min(width - 2, Math.floor(u)), t = u - c;
      const four = [rows[r][c], rows[r][c + 1], rows[r + 1][c], rows[r + 1][c + 1]];
      if (four.includes(null)) continue;
      const value = (four[0] * (1 - t) + four[1] * t) * (1 - s) + (four[2] * (1 - t) + four[3] * t) * s;
      const [ink, share] = tint(value), colour = inks[ink], at = 4 * (i * w + j);
      image.data[at] = colour[0];
      image.data[at + 1] = colour[1];
      image.data[at + 2] = colour[2];
      image.data[at + 3] = share * 140;
    }
  }
  const small = document.createElement("canvas");
  [small.width, small.height] = [w, h];
  small.getContext("2d").putImageData(image, 0, 0);
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}

function dotsOnCanvas(host, mark, x, y, area) {
  const [, context, ratio] = canvasUnder(host, area), [r, g, b] = colour(INK[mark.ink]);
  context.scale(ratio, ratio);
  context.fillStyle = `rgba(${r},${g},${b},.7)`;
  mark.x.forEach((value, i) => {
    if (value === null || mark.y[i] === null) return;
    const at = [x(value) - area.left, y(mark.y[i]) - area.top, 2.2 * mark.size], dot = new Path2D(SHAPES[mark.shape]?.(...at));
    if (!SHAPES[mark.shape]) dot.arc(...at, 0, 7);
    context.fill(dot);
  });
}

// A level line of a grid of numbers, by marching squares: each cell gives at most two pieces.
function contour(rows, level, mark, x, y) {
  const height = rows.length, width = rows[0].length, pieces = [];
  const at = (i, j) => [x(mark.x[0] + ((mark.x[1] - mark.x[0]) * (j + 0.5)) / width), y(mark.y[0] + ((mark.y[1] - mark.y[0]) * (i + 0.5)) / height)];
  for (let i = 0; i + 1 < height; i++)
    for (let j = 0; j + 1 < width; j++) {
      const corners = [[i, j], [i, j + 1], [i + 1, j + 1], [i + 1, j]], cuts = [];
      if (corners.some(([k, l]) => rows[k][l] === null)) continue;
      for (let k = 0; k < 4; k++) {
        const [a, b] = [corners[k], corners[(k + 1) % 4]], [u, v] = [rows[a[0]][a[1]] - level, rows[b[0]][b[1]] - level];
        if (u > 0 !== v > 0) {
          const t = u / (u - v), [p, q] = [at(...a), at(...b)];
          cuts.push(`${(p[0] + t * (q[0] - p[0])).toFixed(1)} ${(p[1] + t * (q[1] - p[1])).toFixed(1)}`);
        }
      }
      for (let k = 0; k + 1 < cuts.length; k += 2) pieces.push(`M${cuts[k]}L${cuts[k + 1]}`);
    }
  return pieces.join("");
}

// A label stands on its mark where there is most space. The same rule as in ichikara.plot.labels, with fewer places.
function placeLabels(g, marks, x, y, area) {
  const outlines = marks.map((mark) => thinned(outline(mark, x, y, area))), taken = [];
  marks.forEach((mark, i) => {
    const own = outlines[i].filter(([px, py]) => px >= area.left && px <= area.right && py >= area.top - 2 && py <= area.bottom + 2);
    if (!mark.label || !own.length) return;
    const others = outlines.flatMap((points, j) => (j === i || ["Area", "Raster"].includes(marks[j].kind) ? [] : points));
    const half = [measure(mark.label) / 2, 9], anchors = own.filter((_, k) => k % Math.ceil(own.length / 16) === 0 || k === own.length - 1);
    let best = null, least = Infinity;
    anchors.forEach((anchor, n) => SIDES.forEach(([dx, dy], order) => {
      const centre = [anchor[0] + dx * (half[0] + GAP), anchor[1] + dy * (half[1] + GAP)];
      const over = Math.max(0, area.left - centre[0] + half[0]) + Math.max(0, centre[0] + half[0] - area.right) + Math.max(0, area.top - centre[1] + half[1]) + Math.max(0, centre[1] + half[1] - area.bottom);
      const near = distance(others, centre, half), mine = distance(own, centre, half);
      const hits = (near < 1.5) + (mine < 1.5) + taken.filter(([cx, cy, w]) => Math.abs(cx - centre[0]) < w + half[0] + 4 && Math.abs(cy - centre[1]) < 18).length;
      const cost = 1000 * hits + 100 * Math.min(over, 20) + 20 * Math.max(0, mine + 6 - near) - 2 * Math.min(near, 40) + 1.5 * order - (25 * n) / Math.max(1, anchors.length - 1);
      if (cost < least) [least, best] = [cost, centre];
    }));
    taken.push([...best, half[0]]);
    element("text", {x: best[0], y: best[1] + 5, "text-anchor": "middle", class: `halo w-${mark.ink}`}, g, mark.label);
  });
}

// Of points closer than four pixels one: a line that goes to and fro has thousands.
const thinned = (points) => [...new Map(points.map((point) => [(point[0] >> 2) * 65536 + (point[1] >> 2), point])).values()];

const SIDES = [[0, -1], [0, 1], [1, 0], [-1, 0], [1, -1], [-1, -1], [1, 1], [-1, 1]];

function distance(points, centre, half) {
  let least = 1e3;
  for (const [px, py] of points) least = Math.min(least, Math.hypot(Math.max(0, Math.abs(px - centre[0]) - half[0]), Math.max(0, Math.abs(py - centre[1]) - half[1])));
  return least;
}

function outline(mark, x, y, area) {
  const points = [];
  if (mark.kind === "Line") {
    let last = null;
    mark.x.forEach((value, i) => {
      const here = value === null || mark.y[i] === null ? null : [x(value), y(mark.y[i])];
      if (here && last) {
        const n = Math.min(200, Math.ceil(Math.hypot(here[0] - last[0], here[1] - last[1]) / 6));
        for (let k = 0; k < n; k++) points.push([last[0] + ((here[0] - last[0]) * k) / n, last[1] + ((here[1] - last[1]) * k) / n]);
      }
      if (here) points.push(here);
      last = here;
    });
  } else if (mark.kind === "Dots") mark.x.forEach((value, i) => value !== null && mark.y[i] !== null && points.push([x(value), y(mark.y[i])]));
  else if (mark.kind === "Bars") mark.x.forEach((value, i) => mark.height[i] !== null && points.push(mark.lying ? [x(mark.height[i]), y(value)] : [x(value), y(mark.height[i])]));
  else if (mark.kind === "Rule")
    for (let k = 0; k <= 40; k++) points.push(mark.x === null ? [area.left + ((area.right - area.left) * k) / 40, y(mark.y)] : [x(mark.x), area.top + ((area.bottom - area.top) * k) / 40]);
  else if (mark.kind === "Arrows") mark.x.forEach((value, i) => points.push([x(value + mark.dx[i]), y(mark.y[i] + mark.dy[i])]));
  else if (mark.kind === "Label") {
    const wide = measure(mark.text), from = x(mark.x) - wide * {start: 0, middle: 0.5, end: 1}[mark.anchor];
    for (let k = 0; k <= 8; k++) points.push([from + (wide * k) / 8, y(mark.y)]);
  }
  return points;
}

export function shortText(value, digits = 3) {
  if (value === null || !Number.isFinite(value)) return "";
  return String(+value.toPrecision(digits)).replace("-", "−");
}

function drawImages(host, chart, mark) {
  const count = mark.images.length, rows = Math.ceil(count / mark.columns), [height, width] = [mark.images[0].length, mark.images[0][0].length];
  const words = mark.captions.length ? 22 : 0, wide = Math.max(host.clientWidth, 200), cell = Math.min(96, (wide - (mark.columns - 1) * 8) / mark.columns);
  const tall = (cell * height) / width + words + 8, svg = start(host, wide, rows * tall, chart.alt);
  const ink = colour(INK.ink), a = colour(INK.a), b = colour(INK.b);
  const many = count * height * width > 600; // then a canvas below holds the pixels
  const [, context, ratio] = many ? canvasUnder(host, {left: 0, top: 0, right: wide, bottom: rows * tall}) : [];
  context?.scale(ratio, ratio);
  mark.images.forEach((image, k) => {
    const left = (k % mark.columns) * (cell + 8), top = Math.floor(k / mark.columns) * tall, side = cell / width;
    element("rect", {x: left - 0.5, y: top + 0.5, width: cell + 1, height: side * height + 1, class: "gr"}, svg);
    image.forEach((row, i) => row.forEach((value, j) => {
      if (value === null || (!Array.isArray(value) && Math.abs(value) < 0.02)) return;
      const [r, g, bl] = Array.isArray(value) ? value.map((part) => Math.round(part * 255)) : mark.signed ? (value < 0 ? a : b) : ink;
      const cellOf = {x: left + j * side, y: top + 1 + i * side, width: side + 0.3, height: side + 0.3}, deep = Array.isArray(value) ? 1 : Math.abs(value);
      if (!many) return element("rect", {...cellOf, fill: `rgb(${r},${g},${bl})`, "fill-opacity": deep}, svg);
      context.fillStyle = `rgba(${r},${g},${bl},${deep})`;
      context.fillRect(...Object.values(cellOf));
    }));
    if (words) element("text", {x: left + cell / 2, y: top + side * height + 18, "text-anchor": "middle"}, svg, mark.captions[k]);
  });
  const whole = (side) => Object.assign((value) => value * side, {back: (pixel) => pixel / side});
  return {svg, x: whole(cell / width), y: whole(cell / width), layer: element("g", {class: "handles"}, svg)};
}

// Boxes and edges are laid out already, in units of the text's height; so are labels beside the graph.
function drawGraph(host, chart, mark) {
  const labels = chart.marks.filter((one) => one.kind === "Label");
  const boxes = [...mark.vertices, ...mark.groups], points = mark.edges.flatMap((edge) => edge.points);
  for (const one of labels) for (const share of [0, 1]) points.push([one.x + (share - {start: 0, middle: 0.5, end: 1}[one.anchor]) * (measure(one.text) / 14), one.y]);
  const ys = boxes.flatMap((box) => [box.y - box.height / 2, box.y + box.height / 2]).concat(points.map((point) => point[1]));
  const above = mark.vertices.some((vertex) => vertex.value || vertex.gradient) && mark.direction !== "down" ? 1.7 : 0.3;
  const beside = mark.direction === "down" ? 4.5 : 0.3, side = (box) => (mark.vertices.includes(box) ? beside : 0.3);
  const xs = boxes.flatMap((box) => [box.x - box.width / 2 - 0.3, box.x + box.width / 2 + side(box)]).concat(points.map((point) => point[0]));
  const low = [Math.min(...xs), Math.min(...ys) - above], high = [Math.max(...xs), Math.max(...ys) + above];
  const wide = host.clientWidth || 240, unit = Math.min(19, Math.max(13, wide / (high[0] - low[0])));
  const size = [(high[0] - low[0]) * unit, (high[1] - low[1]) * unit], at = (x, y) => [(x - low[0]) * unit, (y - low[1]) * unit];
  const svg = start(host, size[0], size[1], chart.alt);
  svg.setAttribute("class", "graph");
  host.classList.toggle("scrolls", size[0] > wide + 1);
  svg.setAttribute("width", size[0]);
  svg.setAttribute("height", size[1]);
  const text = (x, y, words, classes, anchor = "middle") => words && element("text", {x, y, "text-anchor": anchor, class: classes, "font-size": unit > 15 ? 15 : 13.5}, svg, words);
  for (const group of mark.groups) {
    const [x, y] = at(group.x - group.width / 2, group.y - group.height / 2);
    element("rect", {x, y, width: group.width * unit, height: group.height * unit, class: "group"}, svg);
    text(x + 6, y + 15, group.text, "", "start");
  }
  for (const edge of mark.edges) {
    const way = edge.points.map((point) => at(...point));
    element("path", {d: "M" + way.map((point) => point.join(" ")).join("L"), class: `edge ${edge.strong ? "strong" : ""} i-${edge.ink}`, "stroke-dasharray": edge.dashed ? "6 4" : null}, svg);
  }
  for (const edge of mark.edges) {
    if (!edge.label) continue;
    const way = edge.points.map((point) => at(...point)), k = Math.floor((way.length - 1) / 2), [p, q] = [way[k], way[Math.min(k + 1, way.length - 1)]];
    const share = way.length === 2 ? 0.42 : 0.5;
    text(p[0] + (q[0] - p[0]) * share, p[1] + (q[1] - p[1]) * share + 5, edge.label, `halo w-${edge.ink}`);
  }
  for (const vertex of mark.vertices) {
    const [x, y] = at(vertex.x, vertex.y), [w, h] = [vertex.width * unit, vertex.height * unit];
    const classes = `node ${vertex.kind} ${vertex.strong ? `strong i-${vertex.ink}` : ""}`, dashes = vertex.kind === "constant" || vertex.kind === "target" ? "4 3" : null;
    if (vertex.kind === "neuron") element("ellipse", {cx: x, cy: y, rx: w / 2, ry: h / 2, class: classes}, svg);
    else element("rect", {x: x - w / 2, y: y - h / 2, width: w, height: h, rx: vertex.kind === "operation" ? Math.min(h / 2, 13) : 2, class: classes, "stroke-dasharray": dashes}, svg);
    text(x, y + 5, vertex.text, "w-ink");
    if (mark.direction === "down") {
      text(x + w / 2 + 6, y - 2, vertex.value, "val", "start");
      text(x + w / 2 + 6, y + 15, vertex.gradient, "grd", "start");
    } else {
      text(x, y - h / 2 - 7, vertex.value, "val");
      text(x, y + h / 2 + 18, vertex.gradient, "grd");
    }
  }
  for (const mark of labels) text(...at(mark.x, mark.y), mark.text, `halo w-${mark.ink}`, mark.anchor);
  const scale = (axis) => Object.assign((value) => (value - low[axis]) * unit, {back: (pixel) => pixel / unit + low[axis]});
  return {svg, x: scale(0), y: scale(1), layer: element("g", {class: "handles"}, svg)};
}
