// The cashier's page. htmx swaps what the server says; this script feeds the one field (a hand scanner
// types, wherever the focus is; the camera says "scanned"), runs the countdowns, counts taps on
// products, and says plainly when the network is gone. Nothing is shown as done before the server
// has said so.

const words = JSON.parse(document.body.dataset.words);
const find = (selector) => document.querySelector(selector);
const [form, field, stage, lost] = [".scan", "#field", "#stage", ".lost"].map(find);
const fine = matchMedia("(pointer: fine)"); // elsewhere a focused field brings up a keyboard

htmx.config.timeout = 8000;

// -- the field ------------------------------------------------------------------------------------

const QR = /MALVAR?1\.[\w.-]+$/;
const PAUSE = 300; // ms; the slowest scanners, by radio, type faster than that
const nothing = () => ({ text: "", at: -Infinity, into: null, before: "" });
let burst = nothing();

function take(text) {
  field.value = text;
  form.requestSubmit();
}

/** What the key means on a US keyboard, as which a scanner types: this computer may think in
    Serbian or Russian. */
function character({ code, key, shiftKey }) {
  const [, letter, digit] = code.match(/^(?:Key([A-Z])|Digit(\d))$/) ?? [];
  if (letter) return key.toUpperCase() === letter ? key : shiftKey ? letter : letter.toLowerCase();
  if (digit) return digit;
  if (code === "Period") return ".";
  if (code === "Minus") return shiftKey || key === "_" ? "_" : "-";
  return "";
}

function typed(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Enter") return entered(event);
  const next = character(event);
  if (!next) return;
  const focused = document.activeElement;
  if (event.timeStamp - burst.at > PAUSE) burst = { ...nothing(), into: focused, before: focused.value };
  burst.text += next;
  burst.at = event.timeStamp;
  if (!focused.matches("input, textarea, select")) field.focus();
}

/** A scanner ends with Enter. What it typed into another field is taken out of there. */
function entered(event) {
  const { text, into, before } = burst;
  burst = nothing();
  const scanned = text.match(QR);
  if (!scanned) return;
  event.preventDefault();
  if (into !== field && "value" in into) into.value = before + text.slice(0, scanned.index);
  take(scanned[0]);
}

document.addEventListener("keydown", typed, true);
document.addEventListener("scanned", ({ detail }) => take(detail));

function ready() {
  if (fine.matches && !document.activeElement?.closest("#purchase")) field.focus({ preventScroll: true });
}

// -- products -------------------------------------------------------------------------------------

stage.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-step]");
  if (!button) return;
  const count = button.closest("li").querySelector("input");
  const n = Math.min(Math.max((parseInt(count.value, 10) || 0) + Number(button.dataset.step), 0), 99);
  count.value = n || "";
  count.dispatchEvent(new Event("input", { bubbles: true }));
});

let edits = 0;
let asked = 0; // how many edits there were when the last sum was asked for

/** A sum that is out of date can't be confirmed. */
stage.addEventListener("input", ({ target }) => {
  edits += 1;
  target.closest("#purchase")?.querySelectorAll("#sum button").forEach((button) => (button.disabled = true));
  mark();
});

/** Asks for it once more, where something is entered. */
function sum() {
  const entries = find(".entries-of");
  if (entries && [...entries.querySelectorAll("input")].some((one) => one.value)) htmx.trigger(entries, "input");
}

function mark() {
  for (const item of document.querySelectorAll(".products li")) item.classList.toggle("chosen", item.querySelector("input").value > 0);
}

// What is being entered outlasts whatever takes the stage's place, a scan above all, until there is a
// purchase to enter again. What was sent is no longer being entered: it would count twice.
let kept = [];

function keep() {
  const purchase = find("#purchase");
  if (!purchase) return;
  const entries = purchase.querySelector(".entries-of");
  const sent = purchase.matches(".htmx-request") || entries.inert;
  kept = sent ? [] : [...entries.querySelectorAll("input")].map(({ name, value }) => [name, value]);
}

function putBack() {
  const entries = find(".entries-of");
  if (!entries) return;
  for (const [name, value] of kept) {
    const input = entries.querySelector(`[name="${name}"]`);
    if (input) input.value = value;
  }
  kept = [];
}

// -- what the server says -------------------------------------------------------------------------

document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  if (detail.elt.matches(".entries-of")) asked = edits;
});

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.target.id === "sum" && asked !== edits) detail.shouldSwap = false; // a newer one is on its way
  if (detail.target === stage && detail.shouldSwap) keep();
  if (detail.xhr.status < 400) return;
  detail.shouldSwap = false;
  if (detail.xhr.status < 500) location.assign("/till"); // signed in anew, or gone: begin again
});

document.addEventListener("htmx:afterSwap", ({ target }) => {
  if (target === stage) {
    scrollTo(0, 0); // where it says what came of it
    putBack();
  }
  listen();
  mark();
  tick();
});

document.addEventListener("htmx:afterSettle", ({ target }) => target === stage && sum());

document.addEventListener("htmx:afterRequest", ({ detail }) => {
  const { elt, xhr, successful } = detail;
  if (successful && elt === form) field.value = "";
  if (elt === form) field.select();
  if (!successful && !(xhr.status >= 400 && xhr.status < 500)) unanswered(elt);
  else if (elt.id !== "live") ready();
  draw();
});

/** The answer was lost, and with it whether it was done. */
function unanswered(elt) {
  const said = elt.querySelector(".unknown");
  if (elt.id === "live") return;
  if (elt.matches(".entries-of")) return setTimeout(() => connected && sum(), 2000);
  if (!said) return tell(words.failed);
  said.textContent = "once" in elt.dataset ? words.unknown : words.failed;
  said.hidden = false;
  const entries = elt.querySelector(".entries-of");
  if (entries) entries.inert = true; // the same purchase, or none
}

function tell(text) {
  const note = document.createElement("p");
  note.className = "note bad";
  note.textContent = text;
  find("#note").replaceChildren(note);
}

// -- the network ----------------------------------------------------------------------------------

const SILENCE = 25000; // ms; the server beats every ten seconds
let source = null;
let listening = "";
let heard = performance.now();
let connected = true;
let refreshing = 0;

function listen() {
  const address = find("#stage [data-events]")?.dataset.events ?? "";
  if (address === listening) return;
  listening = address;
  source?.close();
  source = address ? new EventSource(address) : null;
  source?.addEventListener("beat", hear);
  source?.addEventListener("news", refresh);
  source?.addEventListener("over", () => location.assign("/till"));
  source?.addEventListener("error", () => draw((connected = false)));
}

function hear() {
  heard = performance.now();
  if (connected) return;
  draw((connected = true));
  refresh(); // whatever happened meanwhile
  sum();
}

function refresh() {
  clearTimeout(refreshing);
  refreshing = setTimeout(() => find("#live") && htmx.trigger("#live", "news"), 100);
}

/** Offline, what needs the server can't be pressed. */
function draw() {
  const online = connected && navigator.onLine;
  lost.textContent = online ? "" : words.lost;
  lost.hidden = online;
  for (const button of document.querySelectorAll("main form .button")) {
    if (!online && !button.disabled) button.dataset.offline = "";
    if (!online) button.disabled = true;
    else if ("offline" in button.dataset) {
      button.disabled = false;
      delete button.dataset.offline;
    }
  }
}

addEventListener("offline", draw);
addEventListener("online", () => {
  draw();
  listening = "";
  listen();
});

// -- time -----------------------------------------------------------------------------------------

function tick() {
  const now = performance.now();
  for (const time of document.querySelectorAll("[data-left]")) {
    time.until ??= now + Number(time.dataset.left) * 1000;
    const seconds = Math.max(Math.ceil((time.until - now) / 1000), 0);
    time.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (seconds === 0 && !time.over) refresh((time.over = true)); // the server knows what is then
  }
  if (connected && source && now - heard > SILENCE) draw((connected = false));
}

setInterval(tick, 500);
listen();
mark();
tick();
ready();
