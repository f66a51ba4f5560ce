// What the chosen user is about to order. It stays in this tab.

import { write } from "./api.js";
import { notify, notifyError } from "./dialogs.js";
import { element, find, setText, showRows, whileBusy } from "./dom.js";
import { priceOf, total } from "./money.js";

const STORED = "basket";
/** Pieces of an order. */
const MOST = 1000;
/** Of these errors, the service may have done what it was asked for. */
const UNCERTAIN = ["down", "unreachable"];

export class Basket extends EventTarget {
  #section = find("#basket");
  /** By id: the item as it was seen last, and how many pieces. */
  #lines = new Map(JSON.parse(sessionStorage.getItem(STORED) ?? "[]"));
  /** The items that the last try could not get. */
  #soldOut = [];

  constructor(users) {
    super();
    this.users = users;
    find("form", this.#section).addEventListener("submit", (event) => {
      event.preventDefault();
      whileBusy(find("button", event.currentTarget), () => this.#order());
    });
    users.addEventListener("chosen", () => this.#show());
    this.#show();
  }

  get ids() {
    return [...this.#lines.keys()];
  }

  countOf(id) {
    return this.#lines.get(id)?.count ?? 0;
  }

  add(item, by = 1) {
    const count = this.countOf(item.id) + by;
    if (count > 0) this.#lines.set(item.id, { item, count });
    else this.#lines.delete(item.id);
    this.#soldOut = [];
    this.#changed();
  }

  /** The stock of an item has changed. */
  learn(item) {
    const line = this.#lines.get(item.id);
    if (!line) return;
    line.item = item;
    this.#changed();
  }

  #changed() {
    sessionStorage.setItem(STORED, JSON.stringify([...this.#lines]));
    this.#show();
    this.dispatchEvent(new Event("change"));
  }

  #show() {
    const lines = [...this.#lines.values()];
    const pieces = lines.reduce((sum, { count }) => sum + count, 0);
    const make = ({ item }) => makeLine(item, (by) => this.add(this.#lines.get(item.id).item, by));
    const update = (row, line) => updateLine(row, line, this.#soldOut.includes(line.item.id));
    showRows(find(".lines", this.#section), lines, { key: ({ item }) => item.id, make, update });
    find(".empty", this.#section).hidden = pieces > 0;
    find("form", this.#section).hidden = pieces === 0;
    setText(find(".total", this.#section), total(lines));
    setText(find("#basket-link"), `Basket (${pieces})`);
    const { chosen } = this.users;
    setText(find("form button", this.#section), chosen ? `Place order for ${chosen.name}` : "Place order");
  }

  async #order() {
    const { chosen } = this.users;
    const ordered = [...this.#lines].map(([id, { count }]) => ({ id, count }));
    const items = ordered.flatMap(({ id, count }) => Array(count).fill(id));
    if (!chosen) {
      notify("failed", "Who orders?", "Choose a user first.");
      return find("#users h2").focus();
    }
    if (items.length > MOST) return notify("failed", "Too many", `An order has at most ${MOST} pieces.`);
    try {
      const order = await write("POST", "/v1/orders", { user: chosen.id, items });
      // Others may have been added meanwhile.
      for (const { id, count } of ordered) this.#takeOut(id, count);
      this.#soldOut = [];
      notify("done", "Order placed", `${items.length} ${items.length === 1 ? "piece" : "pieces"} for ${chosen.name}.`);
      this.dispatchEvent(new CustomEvent("ordered", { detail: order }));
      find("#orders h2").focus();
    } catch (error) {
      this.#soldOut = error.soldOut ?? [];
      if (UNCERTAIN.includes(error.kind)) {
        error.message += " The order may have been placed all the same: look at the orders first.";
        this.dispatchEvent(new Event("unanswered"));
      }
      notifyError(error);
    }
    this.#changed();
  }

  #takeOut(id, count) {
    const line = this.#lines.get(id);
    if (line?.count > count) line.count -= count;
    else this.#lines.delete(id);
  }
}

function makeLine({ name, id }, add) {
  const fewer = () => {
    add(-1);
    if (!row.isConnected) find("#basket h2").focus();
  };
  const row = element(
    "li",
    { class: "line" },
    element("span", { class: "name" }, name || id),
    element("span", { class: "price" }),
    element(
      "span",
      { class: "stepper", role: "group", "aria-label": `Pieces of ${name || id}` },
      element("button", { type: "button", "aria-label": `One ${name || id} fewer`, click: fewer }, "−"),
      element("output"),
      element("button", { type: "button", "aria-label": `One more ${name || id}`, click: () => add(1) }, "+"),
    ),
    element("p", { class: "failure", role: "status" }),
  );
  return row;
}

function updateLine(row, { item, count }, isSoldOut) {
  const left = item.quantity ?? Infinity;
  setText(find(".price", row), priceOf(item));
  setText(find("output", row), `${count}`);
  find(".stepper button:last-child", row).disabled = count >= left;
  const short = count > left ? (left ? `Only ${left} left.` : "Out of stock.") : isSoldOut ? "Out of stock." : "";
  setText(find(".failure", row), short);
  find(".failure", row).hidden = !short;
}
