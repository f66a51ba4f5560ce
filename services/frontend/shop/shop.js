// The page /shop: its parts, and how they hear of each other.

import { askForKey, forgetKey, hasKey } from "./api.js";
import { Basket } from "./basket.js";
import { Catalogue } from "./catalogue.js";
import { find, setText } from "./dom.js";
import { Orders } from "./orders.js";
import { Stock } from "./stock.js";
import { Users } from "./users.js";

const stock = new Stock();
const users = new Users();
const basket = new Basket(users);
new Catalogue(find("#catalogue"), { stock, basket });
new Orders({ users, stock, basket });

stock.addEventListener("state", () => {
  const live = find("#live");
  live.dataset.state = stock.live ? "live" : "reconnecting";
  setText(live, live.dataset.state);
});

const showKey = () => setText(find("#key"), hasKey() ? "Forget key" : "Enter key");
addEventListener("key", showKey);
showKey();

find("#key").addEventListener("click", () => {
  if (hasKey()) forgetKey();
  else askForKey();
});
