// The stock of items as it changes: server-sent events of WatchItems, which a resident PHP worker streams.

import { pauseAfter } from "./retry.js";

/** A stream that has lived so long was not a failure. */
const STEADY = 5_000;

export class Stock extends EventTarget {
  #ids = null;
  #source = null;
  #failures = 0;
  #opened = 0;
  #timer = 0;

  /** Whether what was received last is the stock of now. */
  live = false;

  constructor() {
    super();
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#pause() : this.#open()));
  }

  /** Replaces what is watched: none for all items. */
  watch(ids) {
    if (this.#ids?.join() === ids.join()) return;
    this.#ids = ids;
    this.#open();
  }

  #open() {
    this.#close();
    // A browser has six connections for all windows of the shop, and a stream takes one.
    if (document.hidden || !this.#ids) return;
    const query = new URLSearchParams(this.#ids.map((id) => ["ids", id]));
    this.#source = new EventSource(`/v1/items:watch?${query}`);
    this.#source.onopen = () => {
      this.#opened = performance.now();
      this.#become(true);
    };
    this.#source.onmessage = ({ data }) => this.dispatchEvent(new CustomEvent("item", { detail: JSON.parse(data) }));
    // The service ends the stream by an event, and a proxy by closing it.
    this.#source.addEventListener("status", () => this.#retry());
    this.#source.onerror = () => this.#retry();
  }

  /** Not left to EventSource, which gives up after an HTTP error, and never waits longer. */
  #retry() {
    this.#close();
    this.#failures = this.live && performance.now() - this.#opened > STEADY ? 1 : this.#failures + 1;
    this.#become(false);
    this.#timer = setTimeout(() => this.#open(), pauseAfter(this.#failures));
  }

  /** Nothing is lost: a stream begins with what the stock is then. */
  #pause() {
    this.#close();
    this.#become(false);
  }

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
  }

  #become(live) {
    this.live = live;
    this.dispatchEvent(new Event("state"));
  }
}
