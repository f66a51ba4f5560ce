// The items for sale, with their stock.

import { element, find, setText, showRows } from "./dom.js";
import { PagedList } from "./list.js";
import { priceOf } from "./money.js";

const PAGE = 24;
const FEW = 5;
/** Their ids are in a URL. */
const MOST_WATCHED = 100;

export class Catalogue {
  #cards = find("#catalogue .cards");
  /** The items of the page, by id. */
  #items = new Map();

  constructor(section, { stock, basket }) {
    Object.assign(this, { stock, basket });
    const show = (items, hasPages) => this.#showPage(items, hasPages);
    this.list = new PagedList(section, { field: "items", every: 30_000, show });
    stock.addEventListener("item", ({ detail }) => this.#changed(detail));
    basket.addEventListener("change", () => this.#show());
    this.list.open(`/v1/items?page_size=${PAGE}`);
  }

  #showPage(items, hasPages) {
    // The stream is newer than a list that was read meanwhile.
    const newest = (item) => (this.stock.live && this.#items.get(item.id)) || item;
    this.#items = new Map(items.map((item) => [item.id, newest(item)]));
    // A small shop is watched whole, with the items that are still to come.
    this.watched = hasPages ? [...this.#items.keys(), ...this.basket.ids] : [];
    this.stock.watch([...new Set(this.watched)].slice(0, MOST_WATCHED).sort());
    this.#show();
  }

  #changed(item) {
    this.basket.learn(item);
    if (!this.#items.has(item.id)) {
      if (!this.watched.length) this.list.soon();
      return;
    }
    this.#items.set(item.id, item);
    this.#show();
  }

  #show() {
    const make = (item) => makeCard(item, () => this.basket.add(this.#items.get(item.id)));
    const update = (card, item) => updateCard(card, item, this.basket.countOf(item.id));
    showRows(this.#cards, [...this.#items.values()], { key: ({ id }) => id, make, update });
    find("#catalogue .empty").hidden = this.#items.size > 0;
  }
}

function makeCard(item, add) {
  return element(
    "li",
    { class: "card" },
    element("span", { class: "tile", "aria-hidden": "true" }),
    element("h2"),
    element("p", { class: "description" }),
    element("p", { class: "stock" }),
    element(
      "div",
      { class: "buy" },
      element("span", { class: "price" }),
      element("button", { type: "button", click: add }),
    ),
  );
}

function updateCard(card, item, inBasket) {
  const name = item.name || item.id;
  const { level, text } = stockOf(item);
  setText(find(".tile", card), [...name][0].toUpperCase());
  find(".tile", card).dataset.hue = [...item.id].reduce((sum, letter) => sum + letter.codePointAt(), 0) % 6;
  setText(find("h2", card), name);
  setText(find(".description", card), item.description ?? "");
  setText(find(".price", card), priceOf(item));
  showStock(find(".stock", card), level, text);
  const button = find("button", card);
  setText(button, inBasket ? `Add (${inBasket})` : "Add");
  button.setAttribute("aria-label", `${button.textContent} to the basket: ${name}`);
  button.disabled = inBasket >= (item.quantity ?? Infinity);
}

/** The level is for colours, the text says the same. */
function stockOf({ quantity }) {
  if (quantity == null) return { level: "plenty", text: "Always in stock" };
  if (quantity === 0) return { level: "none", text: "Out of stock" };
  return quantity <= FEW
    ? { level: "few", text: `Only ${quantity} left` }
    : { level: "plenty", text: `${quantity} in stock` };
}

function showStock(node, level, text) {
  if (node.textContent && node.textContent !== text && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
    node.getAnimations().forEach((animation) => animation.cancel());
    node.animate([{ backgroundColor: "var(--flash)" }, {}], { duration: 1200 });
  }
  node.dataset.level = level;
  setText(node, text);
}
