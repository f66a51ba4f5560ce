// The orders of the chosen user, those of other browsers too.

import { write } from "./api.js";
import { confirmed, notify, notifyError } from "./dialogs.js";
import { element, find, setText, showRows } from "./dom.js";
import { PagedList } from "./list.js";
import { total } from "./money.js";

const PAGE = 10;

export class Orders {
  #section = find("#orders");
  /** The order that was placed last in this tab. */
  #placed = "";

  constructor({ users, stock, basket }) {
    this.users = users;
    const show = (orders, hasPages) => this.#show(orders, hasPages);
    this.list = new PagedList(this.#section, { field: "details", every: 10_000, show });
    users.addEventListener("chosen", () => this.#open());
    // Almost every order changes the stock, so its stream says when to read again.
    stock.addEventListener("item", () => this.list.soon());
    basket.addEventListener("ordered", ({ detail }) => {
      this.#placed = detail.id;
      this.list.soon();
    });
    basket.addEventListener("unanswered", () => this.list.soon());
    find(".remove-user", this.#section).addEventListener("click", () => users.remove());
    this.#open();
  }

  #open() {
    const { chosen } = this.users;
    setText(find("h2", this.#section), chosen ? `Orders of ${chosen.name}` : "Orders");
    find(".rows", this.#section).replaceChildren();
    this.#empty(chosen ? "Reading the orders …" : "Choose a user to see the orders.");
    if (chosen) this.list.open(`/v1/orders:details?page_size=${PAGE}&user=${encodeURIComponent(chosen.id)}`);
    else this.list.close();
  }

  #empty(text, canRemove = false) {
    const empty = find(".empty", this.#section);
    setText(empty, text);
    empty.hidden = !text;
    find(".remove-user", this.#section).hidden = !canRemove;
  }

  #show(orders, hasPages) {
    const make = (order) => makeOrder(order, () => this.#remove(order));
    const update = (row, order) => updateOrder(row, order, order.id === this.#placed);
    showRows(find(".rows", this.#section), orders, { key: ({ id }) => id, make, update });
    const none = !orders.length && !hasPages;
    setText(
      find(".count", this.#section),
      `${orders.length} ${orders.length === 1 ? "order" : "orders"}${hasPages ? " on this page" : ""}`,
    );
    this.#empty(none ? "No orders." : "", none);
  }

  async #remove({ id }) {
    if (!(await confirmed(`Delete order ${shortId(id)}? Its items go back into the stock.`, "Delete order"))) return;
    try {
      await write("DELETE", `/v1/orders/${encodeURIComponent(id)}`);
      notify("done", "Order deleted", `The items of ${shortId(id)} are back in the stock.`);
      find("h2", this.#section).focus();
    } catch (error) {
      notifyError(error);
    }
    this.list.soon();
  }
}

const shortId = (id) => id.slice(0, 8);

function makeOrder({ id }, remove) {
  return element(
    "li",
    { class: "order" },
    element("h3", {}, element("code", { title: id }, shortId(id))),
    element("span", { class: "price" }),
    element(
      "button",
      { type: "button", class: "quiet", "aria-label": `Delete order ${shortId(id)}`, click: remove },
      "Delete",
    ),
    element("ul", {}),
  );
}

function updateOrder(row, { items = [], missingItems = [] }, isNew) {
  const lines = new Map();
  for (const item of items) {
    const line = lines.get(item.id) ?? { item, count: 0 };
    lines.set(item.id, { item, count: line.count + 1 });
  }
  row.dataset.new = isNew;
  setText(find(".price", row), total([...lines.values()]));
  const texts = [...lines.values()].map(({ item, count }) => `${count} × ${item.name || item.id}`);
  const gone = missingItems.map((id) => `no longer for sale: ${id}`);
  const list = find("ul", row);
  if (list.dataset.text === [...texts, ...gone].join()) return;
  list.dataset.text = [...texts, ...gone].join();
  list.replaceChildren(...[...texts, ...gone].map((text) => element("li", {}, text)));
}
