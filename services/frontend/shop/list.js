// A list that is read page by page, and again from time to time.

import { read } from "./api.js";
import { element, find, setText } from "./dom.js";
import { pauseAfter } from "./retry.js";

const SOON = 800;

/**
 * Reads a page of a list into its section: at once, after `every` milliseconds while the window is visible, and sooner after
 * a failure. `show` gets the rows, and whether there are other pages.
 */
export class PagedList {
  #tokens = [""];
  #path = "";
  #next = "";
  #timer = 0;
  #failures = 0;
  #reading = null;
  #again = false;

  constructor(section, { field, every, show }) {
    Object.assign(this, { field, every, show });
    this.failure = element("p", { class: "failure", role: "status", hidden: true });
    this.previous = element("button", { type: "button", click: () => this.#turn(-1) }, "Previous");
    this.following = element("button", { type: "button", click: () => this.#turn(1) }, "Next");
    this.pager = element(
      "nav",
      { class: "pager", "aria-label": `Pages of ${field}`, hidden: true },
      this.previous,
      this.following,
    );
    find("h1, h2", section).after(this.failure);
    section.append(this.pager);
    document.addEventListener("visibilitychange", () => !document.hidden && this.soon());
  }

  /** Begins with the first page of another list. */
  open(path) {
    this.#path = path;
    this.#tokens = [""];
    this.#next = "";
    this.#read();
  }

  /** Reads the page again, within a second: what many see at once must not make them all call at once. */
  soon() {
    if (this.#reading) this.#again = true;
    else if (this.#path) this.#readIn(SOON * (0.2 + 0.8 * Math.random()));
  }

  close() {
    this.#path = "";
    this.#stop();
    this.pager.hidden = this.failure.hidden = true;
  }

  /** Which page is next is not known again before this one has been read. */
  #turn(by) {
    if (by < 0 ? this.#tokens.length === 1 : !this.#next) return;
    if (by < 0) this.#tokens.pop();
    else this.#tokens.push(this.#next);
    this.#next = "";
    this.#read();
  }

  #stop() {
    clearTimeout(this.#timer);
    this.#reading?.abort();
    this.#timer = 0;
    this.#reading = null;
  }

  #readIn(pause) {
    const at = performance.now() + pause;
    if (this.#timer && this.due <= at) return;
    clearTimeout(this.#timer);
    this.due = at;
    this.#timer = setTimeout(() => this.#read(), pause);
  }

  async #read() {
    this.#stop();
    // It is read when the window is visible again.
    if (document.hidden) return;
    const { signal } = (this.#reading = new AbortController());
    const token = encodeURIComponent(this.#tokens.at(-1));
    const failed = await read(`${this.#path}&page_token=${token}`, signal).then(
      (answer) => {
        if (!signal.aborted) this.#showPage(answer);
      },
      (error) => error,
    );
    if (signal.aborted) return;
    this.#reading = null;
    this.#failures = failed ? this.#failures + 1 : 0;
    this.failure.hidden = !failed;
    if (failed) setText(this.failure, `${failed.title}. ${failed.message} Trying again.`);
    this.#readIn(failed ? pauseAfter(this.#failures) : this.#again ? SOON : this.every);
    this.#again = false;
  }

  #showPage(answer) {
    const rows = answer[this.field] ?? [];
    this.#next = answer.nextPageToken ?? "";
    // The last rows of the last page were removed.
    if (!rows.length && this.#tokens.length > 1) return this.#turn(-1);
    this.previous.disabled = this.#tokens.length === 1;
    this.following.disabled = !this.#next;
    this.pager.hidden = this.previous.disabled && this.following.disabled;
    this.show(rows, !this.pager.hidden);
  }
}
