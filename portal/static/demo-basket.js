// What is rung up at the demo's till: products of the cafe that is chosen, and their sum.

import { all, find, tag } from "./demo-stage.js";

const basket = new Map(); // how many of which SKU

export const cafe = () => find("input[name=cafe]:checked").value;
export const rungUp = () => Object.fromEntries(basket);

const shelf = () => find(`.products[data-cafe="${cafe()}"]`);

function put(line, change) {
  const { sku } = line.dataset;
  const count = Math.max((basket.get(sku) ?? 0) + change, 0);
  if (count) basket.set(sku, count);
  else basket.delete(sku);
  drawLine(line, count);
  drawTotal();
  if (change > 0) find(".receipt").hidden = true;
}

function drawLine(line, count) {
  line.classList.toggle("chosen", count > 0);
  line.querySelector(".count").textContent = count || "";
  line.querySelector(".count").hidden = !count;
  line.querySelector(".fewer").hidden = !count;
}

export function empty() {
  basket.clear();
  for (const line of all(".products li")) drawLine(line, 0);
  drawTotal();
}

export function drawTotal() {
  const lines = [...shelf().querySelectorAll("li")];
  const minor = lines.reduce((sum, line) => sum + Number(line.dataset.minor) * (basket.get(line.dataset.sku) ?? 0), 0);
  const { currency, scale } = shelf().dataset;
  find(".total b").textContent = `${new Intl.NumberFormat(tag).format(minor / scale)}\u00a0${currency}`;
  find(".pay").disabled = minor === 0;
}

/** The products of the cafe that is chosen now. */
export function changeShelf() {
  for (const list of all(".products")) list.hidden = list.dataset.cafe !== cafe();
  empty();
}

for (const line of all(".products li")) {
  line.querySelector(".product").addEventListener("click", () => put(line, 1));
  line.querySelector(".fewer").addEventListener("click", () => put(line, -1));
}
