// What the page /shop says, and what it asks.

import { find } from "./dom.js";

/** Says what has happened, at the edge of the window: the page does not move. */
export function notify(kind, title, text = "") {
  const notice = find("#notice");
  notice.dataset.kind = kind;
  find("strong", notice).textContent = title;
  find("span", notice).textContent = text;
  notice.hidden = false;
}

export const notifyError = ({ kind = "failed", title = "That failed", message }) => notify(kind, title, message);

find("#notice button").addEventListener("click", () => (find("#notice").hidden = true));

/** Opens a dialog, and returns the value of the button that closed it: "" for Escape. */
export function ask(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((answered) =>
    dialog.addEventListener("close", () => answered(dialog.returnValue), { once: true }),
  );
}

/** Asks before something is removed. */
export function confirmed(question, action) {
  const dialog = find("#confirm");
  find("p", dialog).textContent = question;
  find("[value=yes]", dialog).textContent = action;
  return ask(dialog).then((answer) => answer === "yes");
}
