// google.type.Money: whole units as text, and nanos.

export const amountOf = ({ units = "0", nanos = 0 }) => Number(units) + nanos / 1e9;

export function format(amount, currency) {
  try {
    return new Intl.NumberFormat("en", { style: "currency", currency }).format(amount);
  } catch {
    return `${amount.toFixed(2)} ${currency}`;
  }
}

export const priceOf = ({ price }) => (price ? format(amountOf(price), price.currencyCode) : "");

/** The sum of lines of an item and a count: one amount for each currency. */
export function total(lines) {
  const sums = new Map();
  for (const { item, count } of lines) {
    if (!item.price) continue;
    const { currencyCode } = item.price;
    sums.set(currencyCode, (sums.get(currencyCode) ?? 0) + count * amountOf(item.price));
  }
  return [...sums].map(([currency, amount]) => format(amount, currency)).join(" + ");
}
