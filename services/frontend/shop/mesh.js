// The page /shop/mesh: reads the map again and again, and shows it as a drawing and as tables.

import { element, find, setText, showRows } from "./dom.js";
import { countText, draw, partText, timeText } from "./map.js";
import { pauseAfter } from "./retry.js";

const EVERY = 2_000;
const PATIENCE = 10_000;
const SOURCES = {
  prometheus: () =>
    "From Prometheus: averages of the last minute, as the callers' Envoys have counted. A stream is a call that takes as long as it lives.",
  envoy: ({ reason, pods }) =>
    `${reason}, so the calls are only those that the Envoy of a frontend pod sees: those to it, and its own, in the last minute. Their p95 is of its last five seconds or, if there were none then, since its start.${pods.length ? "" : " Pods and PHP workers are not known. script/run --observability runs Prometheus."}`,
};

/** The map that is shown. */
let shown = null;
let failures = 0;

async function readMap() {
  const response = await fetch("/shop/mesh/data", { signal: AbortSignal.timeout(PATIENCE) }).catch(noAnswer);
  // An error of a proxy on the way need not be JSON.
  const answer = await response.json().catch(response.ok ? noAnswer : () => ({}));
  if (!response.ok) throw new Error(answer.error?.message ?? `HTTP status ${response.status}`);
  return answer;
}

function noAnswer() {
  throw new Error("the shop does not answer");
}

async function refresh() {
  if (!document.hidden) {
    try {
      const map = await readMap();
      show(map);
      shown = map;
      failures = 0;
    } catch (error) {
      failures += 1;
      setText(find("#failure"), `No map: ${error.message}. Trying again.`);
    }
    find("#failure").hidden = failures === 0;
    find("#live").dataset.state = failures ? "reconnecting" : "live";
    setText(find("#live"), find("#live").dataset.state);
  }
  setTimeout(refresh, failures ? pauseAfter(failures) : EVERY);
}

function show(map) {
  setText(find("#source"), SOURCES[map.source](map));
  draw(find("#map"), map);
  const pods = ({ healthy_pods: healthy, known_pods: known }) => (known == null ? "–" : `${healthy} of ${known}`);
  showTable(
    "#edge-rows",
    map.edges,
    ({ from, to }) => `${from} ${to}`,
    (edge) => [
      `${edge.from} to ${edge.to}`,
      number(countText(edge.calls_per_second)),
      number(partText(edge.error_ratio), edge.error_ratio > 0),
      number(timeText(edge.p95_seconds)),
      number(pods(edge), edge.healthy_pods < edge.known_pods),
    ],
  );
  showTable(
    "#app-rows",
    map.apps,
    ({ app }) => app,
    ({ app, error_ratio, p95_seconds }) => [
      app,
      number(partText(error_ratio), error_ratio > 0),
      number(timeText(p95_seconds)),
    ],
  );
  showTable(
    "#pod-rows",
    map.pods,
    ({ pod }) => pod,
    ({ pod, app, up }) => [pod, app, { text: up ? "up" : "not reachable", class: up ? "" : "bad" }],
  );
  showTable(
    "#worker-rows",
    map.workers,
    ({ pod }) => pod,
    ({ pod, ready, streams, unary, waiting }) => [
      pod,
      ...[ready, streams, unary, waiting].map((count) => number(`${count ?? "–"}`)),
    ],
  );
}

const number = (text, isBad = false) => ({ text, class: isBad ? "number bad" : "number" });

/** A row has a cell for each value of `cells`; the first one is its header. */
function showTable(selector, rows, key, cells) {
  const make = (row) => {
    const [first, ...others] = cells(row);
    return element("tr", {}, element("th", { scope: "row" }, first), ...others.map(() => element("td")));
  };
  const update = (tr, row) =>
    cells(row)
      .slice(1)
      .forEach((cell, place) => {
        const td = tr.children[place + 1];
        td.className = cell.class ?? "";
        setText(td, cell.text ?? cell);
      });
  showRows(find(selector), rows, { key, make, update });
  find(selector).closest("section").hidden = !rows.length;
}

new ResizeObserver(() => shown && draw(find("#map"), shown)).observe(find("#map"));
refresh();
