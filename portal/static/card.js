// The live card: asks for a code when it is looked at, turns it over when its half minute ends, and
// shows points as they come. The secret never leaves the server; this page only ever has a code.

import { drawHistory } from "./card-history.js";

const words = JSON.parse(document.body.dataset.words);
const here = location.pathname.replace(/\/$/, "");
const find = (selector) => document.querySelector(selector);
const [qr, digits, notice, paper, tick] = [".qr", ".digits", ".notice", ".paper", ".tick"].map(find);
const [left, seconds] = [".ring .left", ".ring .seconds"].map(find);

let card = null; // {code, turnsAt, goodUntil, turns}
let asking = null;
let tries = 0;
let retry = 0;
let lock = null;
let source = null;
let showing = "";

// -- the code -------------------------------------------------------------------------------------

function ask() {
  if (isHolding()) return;
  asking ??= fetchCode().finally(() => (asking = null));
  return asking;
}

async function fetchCode() {
  clearTimeout(retry);
  try {
    const response = await fetch(`${here}/code`, { method: "POST", cache: "no-store" });
    if (response.status === 404) return end();
    if (!response.ok) throw new Error(String(response.status));
    const answer = await response.json();
    tries = 0;
    say("");
    show(answer);
  } catch {
    say(card && performance.now() < card.goodUntil ? words.offline : words.lost);
    retry = setTimeout(() => document.hidden || ask(), Math.min(1000 * 2 ** tries++, 8000));
  }
}

function show(answer) {
  const now = performance.now();
  const used = card && card.code !== answer.code && now < card.turnsAt - 500;
  if (used) celebrate();
  card = { code: answer.code, turnsAt: now + answer.turns_in * 1000, goodUntil: now + answer.good_for * 1000 };
  digits.textContent = answer.code;
  digits.dataset.code = answer.code.replace(" ", "");
  qr.src = answer.qr;
  qr.dataset.text = answer.text;
  qr.alt = words.alt;
  qr.hidden = false;
  paper.classList.remove("stale");
}

/** A reward's code is shown instead (card-rewards.js). */
const isHolding = () => document.body.classList.contains("holding");

function say(text, good = false) {
  notice.textContent = text;
  notice.classList.toggle("good", good);
}

function celebrate() {
  say(words.used, true);
  setTimeout(() => notice.textContent === words.used && say(""), 5000);
  tick.classList.remove("seen");
  void tick.getBoundingClientRect(); // so that it begins again
  tick.classList.add("seen");
}

function turn() {
  if (document.hidden || !card || isHolding()) return;
  const now = performance.now();
  const remaining = Math.max(card.turnsAt - now, 0) / 1000;
  left.style.strokeDasharray = `${(remaining / 30) * 100} 100`;
  seconds.textContent = remaining > 0 ? Math.ceil(remaining) : "";
  if (remaining === 0 && tries === 0) ask(); // once it failed, the retries see to it
  if (now > card.goodUntil) hide();
}

/** A code that no longer counts is not shown. */
function hide() {
  qr.hidden = true;
  digits.textContent = "··· ···";
  delete digits.dataset.code;
  delete qr.dataset.text;
  paper.classList.add("stale");
  if (tries) say(words.lost);
}

function end() {
  clearInterval(ticking);
  source?.close();
  card = null;
  hide();
  say(words.gone);
}

// -- the points -----------------------------------------------------------------------------------

function listen() {
  source?.close();
  source = new EventSource(`${here}/events`);
  let first = true;
  source.addEventListener("state", (event) => {
    update(event.data);
    if (!first) ask(); // a code that was used gives way to a fresh one
    first = false;
  });
}

function update(text) {
  if (text === showing) return;
  const fresh = showing !== "";
  showing = text;
  const state = JSON.parse(text);
  const accounts = state.accounts.map((account) => drawAccount(account, fresh));
  if (accounts.length) find(".none")?.remove();
  find(".accounts").replaceChildren(...accounts);
  drawNotices(state.notices);
  document.dispatchEvent(new CustomEvent("malva:state", { detail: state }));
}

function drawAccount(account, fresh) {
  const element = find("#account").content.firstElementChild.cloneNode(true);
  const part = (selector) => element.querySelector(selector);
  const before = [...document.querySelectorAll(".account")].find((one) => one.querySelector("h2").textContent === account.programme);
  part("h2").textContent = account.programme;
  part(".balance").textContent = account.balance;
  part(".held").textContent = account.held;
  part(".outlook").textContent = account.outlook;
  const bar = part("progress");
  bar.hidden = account.progress === null;
  bar.value = account.progress ?? 0;
  drawHistory(element, account);
  if (fresh && before?.querySelector(".balance").textContent !== account.balance) element.classList.add("fresh");
  return element;
}

function drawNotices(notices) {
  find(".told").hidden = notices.length === 0;
  find(".told ul").replaceChildren(...notices.map(drawNotice));
}

function drawNotice(notice) {
  const element = find("#told").content.firstElementChild.cloneNode(true);
  for (const name of ["what", "why", "when"]) element.querySelector(`.${name}`).textContent = notice[name];
  return element;
}

// -- being looked at ------------------------------------------------------------------------------

/** Hidden, it asks for nothing and holds no code open; looked at again, it begins with a fresh one. */
async function looked() {
  if (document.hidden) {
    source?.close();
    clearTimeout(retry);
    lock?.release();
    return;
  }
  ask();
  listen();
  lock = await navigator.wakeLock?.request("screen").catch(() => null);
}

const ticking = setInterval(turn, 200);
document.addEventListener("visibilitychange", looked);
document.addEventListener("malva:failed", () => say(words.failed));
document.addEventListener("malva:released", () => document.hidden || ask());
window.addEventListener("online", () => document.hidden || looked());
window.addEventListener("offline", () => say(words.offline));
looked();
