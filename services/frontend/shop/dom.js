// Elements and lists of them. Text becomes text only, never HTML.

export const find = (selector, within = document) => within.querySelector(selector);

/** Creates an element. An attribute that is a function listens to the event of its name; false and null leave one out. */
export const element = (tag, ...more) => fill(document.createElement(tag), ...more);

/** The same for a drawing. */
export const shape = (tag, ...more) => fill(document.createElementNS("http://www.w3.org/2000/svg", tag), ...more);

function fill(node, attributes = {}, ...children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Sets a text, unless it is the same: a live region would announce it again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Does what a button begins, unless it is being done. */
export async function whileBusy(button, work) {
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  await work().finally(() => (button.ariaBusy = "false"));
}

/** Shows a row for each value. A row that remains is the same element, so it keeps the focus. */
export function showRows(parent, values, { key, make, update }) {
  const old = new Map([...parent.children].map((row) => [row.dataset.key, row]));
  const rows = values.map((value) => {
    const row = old.get(key(value)) ?? make(value);
    row.dataset.key = key(value);
    update(row, value);
    return row;
  });
  for (const row of [...parent.children]) if (!rows.includes(row)) row.remove();
  rows.forEach((row, place) => {
    if (parent.children[place] !== row) parent.insertBefore(row, parent.children[place] ?? null);
  });
}
