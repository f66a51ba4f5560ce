// The map as a drawing: apps in their places, and an arrow for each edge. Its units are those of the page, so texts keep
// their size.

import { find, setText, shape, showRows } from "./dom.js";

const NARROW = 640;
/** The column and the row of an app. */
const WIDE_PLACES = { ingress: [0, 1], frontend: [1, 0], user: [2, 0], order: [2, 1], item: [2, 2] };
const NARROW_PLACES = { ingress: [1, 0], frontend: [0, 1], user: [0, 2], order: [1, 2], item: [2, 3] };
const MOST_DOTS = 9;

export const countText = (count) => (count == null ? "–" : `${count < 10 ? count.toFixed(1) : Math.round(count)}`);
export const timeText = (seconds) =>
  seconds == null ? "–" : seconds < 1 ? `${Math.max(1, Math.round(seconds * 1000))} ms` : `${seconds.toFixed(1)} s`;
export const partText = (part) => (part == null ? "–" : `${(part * 100).toFixed(part && part < 0.1 ? 1 : 0)} %`);

export function draw(svg, map) {
  const { width, height } = svg.getBoundingClientRect();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const isNarrow = width < NARROW;
  svg.dataset.narrow = isNarrow;
  const boxes = boxesOf(map, width, height, isNarrow);
  const edges = map.edges.filter(({ from, to }) => boxes.has(from) && boxes.has(to));
  showRows(find(".edges", svg), edges, {
    key: ({ from, to }) => `${from} ${to}`,
    make: makeEdge,
    update: (group, edge) => updateEdge(group, edge, boxes),
  });
  showRows(find(".apps", svg), [...boxes.keys()], {
    key: (name) => name,
    make: makeApp,
    update: (group, name) => updateApp(group, name, boxes.get(name), map),
  });
}

/** Where each app is: its centre, and half of its width and height. */
function boxesOf({ edges, pods }, width, height, isNarrow) {
  const places = isNarrow ? NARROW_PLACES : WIDE_PLACES;
  const [columns, rows] = isNarrow ? [3, 4] : [3, 3];
  const size = { w: isNarrow ? Math.min(92, width / 3 - 6) / 2 : 72, h: 38 };
  const names = new Set([...edges.flatMap(({ from, to }) => [from, to]), ...pods.map(({ app }) => app)]);
  const boxes = new Map();
  for (const name of [...names].filter((name) => places[name]).sort()) {
    const [column, row] = places[name];
    boxes.set(name, { x: ((column + 0.5) / columns) * width, y: ((row + 0.5) / rows) * height, ...size });
  }
  return boxes;
}

const makeEdge = () =>
  shape(
    "g",
    { class: "edge" },
    shape("path", { "marker-end": "url(#arrow)" }),
    shape("rect", { rx: 6 }),
    shape("text"),
    shape("text", { class: "errors" }),
  );

function updateEdge(group, edge, boxes) {
  const [from, to] = [boxes.get(edge.from), boxes.get(edge.to)];
  const [start, end] = [border(from, to), border(to, from)];
  const [x, y] = [(start.x + end.x) / 2, (start.y + end.y) / 2];
  const failing = edge.error_ratio > 0 || edge.healthy_pods === 0;
  group.dataset.state = failing ? "bad" : edge.calls_per_second > 0 ? "busy" : "idle";
  set(find("path", group), { d: `M${start.x} ${start.y} ${end.x} ${end.y}` });
  const [rates, errors] = group.querySelectorAll("text");
  const time = edge.p95_seconds == null ? "" : ` · ${timeText(edge.p95_seconds)}`;
  setText(rates, `${countText(edge.calls_per_second)}/s${time}`);
  setText(errors, edge.healthy_pods === 0 ? "no healthy pod" : failing ? `${partText(edge.error_ratio)} errors` : "");
  const lines = failing ? 2 : 1;
  const width = 7 * Math.max(rates.textContent.length, errors.textContent.length) + 8;
  set(find("rect", group), { x: x - width / 2, y: y - 9 * lines - 1, width, height: 18 * lines + 2 });
  set(rates, { x, y: y - 9 * lines + 14 });
  set(errors, { x, y: y + 13 });
}

/** Where the line between the centres of two boxes leaves the first one. */
function border(box, other) {
  const [dx, dy] = [other.x - box.x, other.y - box.y];
  const part = Math.min(box.w / Math.abs(dx || 1e-9), box.h / Math.abs(dy || 1e-9));
  return { x: box.x + dx * part, y: box.y + dy * part };
}

const makeApp = (name) =>
  shape(
    "g",
    { class: "app" },
    shape("rect", { rx: 12 }),
    shape("text", { class: "title" }, name),
    shape("g"),
    shape("text", { class: "small" }),
  );

function updateApp(group, name, { x, y, w, h }, { apps, pods, workers }) {
  const own = pods.filter(({ app }) => app === name);
  const app = apps.find(({ app }) => app === name);
  group.dataset.state = app?.error_ratio > 0 || own.some(({ up }) => !up) ? "bad" : "good";
  set(find("rect", group), { x: x - w, y: y - h, width: 2 * w, height: 2 * h });
  set(find(".title", group), { x, y: y - 14 });
  set(find(".small", group), { x, y: y + 26 });
  setText(find(".small", group), noteOf(name, app, workers));
  const shown = own.slice(0, MOST_DOTS);
  const dots = shown.map(({ up }, place) =>
    shape("circle", {
      class: "pod",
      "data-state": up ? "good" : "bad",
      r: 5,
      cx: x + 14 * (place - (shown.length - 1) / 2),
      cy: y + 2,
    }),
  );
  find("g", group).replaceChildren(...dots);
}

/** The errors of an app, the streams of one with resident workers, or how fast the app answers. */
function noteOf(name, app, workers) {
  if (app?.error_ratio > 0) return `${partText(app.error_ratio)} errors`;
  const own = workers.filter(({ app }) => app === name);
  const streams = own.reduce((sum, { streams }) => sum + (streams ?? 0), 0);
  if (own.length) return streams === 1 ? "1 stream" : `${streams} streams`;
  return app?.p95_seconds == null ? "" : `p95 ${timeText(app.p95_seconds)}`;
}

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
}
