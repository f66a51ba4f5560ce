// The users: one of them orders.

import { write } from "./api.js";
import { confirmed, notify, notifyError } from "./dialogs.js";
import { element, find, setText, showRows, whileBusy } from "./dom.js";
import { PagedList } from "./list.js";

const PAGE = 10;
const STORED = "user";

export class Users extends EventTarget {
  #section = find("#users");

  /** The user whose orders are shown, and for whom the basket is. */
  chosen = JSON.parse(sessionStorage.getItem(STORED) ?? "null");

  constructor() {
    super();
    const show = (users) => this.#show(users);
    this.list = new PagedList(this.#section, { field: "users", every: 30_000, show });
    this.list.open(`/v1/users?page_size=${PAGE}`);
    find("form", this.#section).addEventListener("submit", (event) => {
      event.preventDefault();
      const form = event.currentTarget;
      whileBusy(find("button", form), () => this.#create(form));
    });
  }

  choose(user) {
    this.chosen = user && { id: user.id, name: user.name };
    sessionStorage.setItem(STORED, JSON.stringify(this.chosen));
    for (const radio of this.#section.querySelectorAll("[type=radio]")) radio.checked = radio.value === user?.id;
    this.dispatchEvent(new Event("chosen"));
  }

  /** Only one without orders, which would stay behind. */
  async remove() {
    const { id, name } = this.chosen;
    if (!(await confirmed(`Delete the user ${name}?`, "Delete user"))) return;
    try {
      await write("DELETE", `/v1/users/${encodeURIComponent(id)}`);
      notify("done", "User deleted", name);
      this.choose(null);
      find("h2", this.#section).focus();
    } catch (error) {
      notifyError(error);
    }
    this.list.soon();
  }

  async #create(form) {
    try {
      const user = await write("POST", "/v1/users", Object.fromEntries(new FormData(form)));
      form.reset();
      find("details", this.#section).open = false;
      notify("done", "User created", user.name);
      this.choose(user);
      find("summary", this.#section).focus();
    } catch (error) {
      notifyError(error);
    }
    this.list.soon();
  }

  #show(users) {
    const make = (user) => makeUser(() => this.choose(user));
    const update = (row, user) => updateUser(row, user, user.id === this.chosen?.id);
    showRows(find(".choices", this.#section), users, { key: ({ id }) => id, make, update });
    find(".empty", this.#section).hidden = users.length > 0;
  }
}

function makeUser(choose) {
  const radio = element("input", { type: "radio", name: "user", change: choose });
  return element(
    "li",
    {},
    element("label", {}, radio, element("span", { class: "name" }), element("span", { class: "address" })),
  );
}

function updateUser(row, user, isChosen) {
  const radio = find("input", row);
  radio.value = user.id;
  radio.checked = isChosen;
  setText(find(".name", row), user.name || user.id);
  setText(find(".address", row), user.address ?? "");
}
