// The chat's page. What is said comes by server-sent events, what is written goes by POST; the
// server keeps it all, so the page can be closed and opened anywhere in between.

const WORDS = JSON.parse(document.body.dataset.words);
const CODE_SECONDS = 60; // a card's code counts in its own half minute and the next
const ANSWER_SECONDS = 4; // later than that, the whole conversation is read again

const find = (selector) => document.querySelector(selector);
const log = find(".log");
const main = find("main");
const menu = find(".menu");
const writing = find(".writing");
const offline = find(".offline");
const newer = find(".newer");
const alertLine = find(".alert");
const form = find(".compose");
const input = find("#text");
const template = find("#message");

let words = WORDS[document.documentElement.lang.slice(0, 2)] ?? WORDS.en;
let source = null;
let overdue = 0;
let begun = false;
let following = true;
let lastTop = 0;
const shown = new Map(); // a message's id → its element; one that was replaced keeps its place
const pending = []; // what was written and has not come back yet: {text, element}

// -- what comes -----------------------------------------------------------------------------------

function listen() {
  source?.close();
  source = new EventSource("/chat/events");
  source.addEventListener("open", () => (offline.hidden = true));
  source.addEventListener("error", lost);
  source.addEventListener("history", (event) => beginAnew(JSON.parse(event.data)));
  source.addEventListener("message", (event) => arrive(JSON.parse(event.data)));
}

function lost() {
  offline.textContent = words.offline;
  offline.hidden = false;
  if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000); // it comes back by itself else
}

function beginAnew(messages) {
  log.replaceChildren();
  shown.clear();
  pending.length = 0;
  menu.hidden = true;
  messages.forEach((message) => put(message));
  for (const element of log.querySelectorAll(".message.mine:not(.pending)")) answered(element);
  settle();
  toEnd();
  if (messages.length && !messages.at(-1).mine) answerCame();
  if (messages.length === 0 && !begun) write({ kind: "start", payload: "" });
  begun = true;
  tellFrame(null);
}

function arrive(message) {
  if (!message.mine) answerCame();
  const element = put(message, true);
  if (message.mine) answered(element);
  settle();
  if (message.mine) toEnd();
  else if (!following) newer.hidden = false;
  tellFrame(message);
}

/** Shows a message at its place: at the end, or where the one was that it replaces. */
function put(message, live = false) {
  if (WORDS[message.language] && !message.mine) speak(message.language);
  const place = message.replaces ?? message.id;
  const before = shown.get(place) ?? (message.mine ? takePending(message.text) : null);
  const element = draw(message);
  if (live && !before) element.classList.add("arrived");
  if (before) before.replaceWith(element);
  else log.append(element);
  shown.set(place, element);
  if (message.menu) showMenu(message.options.flat());
  return element;
}

function draw(message) {
  const element = template.content.firstElementChild.cloneNode(true);
  element.classList.toggle("mine", message.mine);
  element.classList.toggle("card", message.kind === "card" || message.kind === "card_renewal");
  element.dataset.at = message.at;
  element.dataset.kind = message.kind;
  const part = (selector) => element.querySelector(selector);
  part(".who").textContent = message.mine ? `${words.you}: ` : "";
  part(".text").textContent = message.text;
  part("time").textContent = clock(message.at);
  part("time").dateTime = message.at;
  if (message.picture) showPicture(part(".picture"), message.picture);
  part(".links").append(...message.links.map(link));
  if (!message.menu) part(".options").append(...message.options.map(row));
  return element;
}

function showPicture(picture, { url, alt }) {
  picture.addEventListener("error", () => (picture.hidden = true));
  picture.alt = alt;
  picture.src = url;
  picture.hidden = false;
}

function link({ label, url }) {
  const anchor = document.createElement("a");
  if (/^(https?:\/\/|\/[^/])/.test(url)) anchor.href = url;
  anchor.textContent = label;
  anchor.target = "_blank";
  anchor.rel = "noopener";
  return anchor;
}

function row(options) {
  const line = document.createElement("div");
  line.append(...options.map(button));
  return line;
}

function button({ value, label }) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = label;
  made.addEventListener("click", () => write({ kind: "option", value }, label));
  return made;
}

function showMenu(options) {
  menu.replaceChildren(...options.map(button));
  menu.hidden = false;
}

/** The guest went on: the questions before this are smaller now, but can still be answered. A card
 *  stays as it is, its Refresh too. */
function answered(mine) {
  for (let one = mine.previousElementSibling; one; one = one.previousElementSibling) {
    if (one.classList.contains("answered")) break;
    if (!/^(card|redemption)/.test(one.dataset.kind ?? "")) one.classList.add("answered");
  }
}

/** Days between the messages, and codes that no longer count. */
function settle() {
  log.querySelectorAll(".day").forEach((line) => line.remove());
  let last = dayOf(new Date());
  for (const element of log.querySelectorAll(".message")) {
    const at = new Date(element.dataset.at);
    const day = dayOf(at);
    if (day !== last) element.before(dayLine(at));
    last = day;
  }
  const cards = [...log.querySelectorAll(".message.card")];
  cards.forEach((card, n) => {
    const old = Date.now() - new Date(card.dataset.at) > CODE_SECONDS * 1000;
    if (old || n < cards.length - 1) expire(card);
  });
}

function expire(card) {
  if (card.classList.contains("past")) return;
  card.classList.replace("card", "past");
  card.querySelector(".picture").remove();
  card.querySelector(".text").textContent = words.past;
}

function dayLine(at) {
  const line = document.createElement("li");
  line.className = "day";
  const days = Math.round((Date.parse(dayOf(new Date())) - Date.parse(dayOf(at))) / 86400000);
  const named = { 0: words.today, 1: words.yesterday }[days];
  line.textContent = named ?? at.toLocaleDateString(document.documentElement.lang, { day: "numeric", month: "long" });
  return line;
}

const dayOf = (at) => `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}`;
const clock = (at) => new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

/** The page goes along when the conversation changes its language. */
function speak(language) {
  if (words === WORDS[language]) return;
  words = WORDS[language];
  document.documentElement.lang = language === "sr" ? "sr-Latn" : language;
  input.placeholder = words.write;
  find("label[for=text]").textContent = words.write;
  const send = find(".compose button");
  send.title = words.send;
  send.setAttribute("aria-label", words.send);
  menu.setAttribute("aria-label", words.menu);
  newer.textContent = words.newer;
}

// -- what goes ------------------------------------------------------------------------------------

/** Sends it, and shows the guest's own words at once; what fails can be sent again, once. */
async function write(content, text, id = crypto.randomUUID?.() ?? String(Math.random()).slice(2)) {
  alertLine.textContent = "";
  const element = text ? putPending(text) : null;
  expectAnswer();
  try {
    const response = await fetch("/chat/messages", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ id, ...content }),
    });
    if (!response.ok) throw new Error(String(response.status));
  } catch (error) {
    answerCame();
    notSent(element, error.message, () => write(content, text, id));
    return;
  }
  if (!source || source.readyState === EventSource.CLOSED) listen();
}

function notSent(element, status, again) {
  if (status === "429") alertLine.textContent = words.slower;
  else if (status === "400" || status === "413") alertLine.textContent = words.long;
  else if (!element) offline.textContent = words.offline;
  if (!element) {
    offline.hidden = status === "429";
    setTimeout(again, 3000);
    return;
  }
  const line = element.querySelector(".unsent");
  line.hidden = false;
  line.querySelector("span").textContent = words.unsent;
  const retry = line.querySelector("button");
  retry.textContent = words.again;
  retry.addEventListener("click", () => {
    forget(element);
    element.remove();
    again();
  });
}

function putPending(text) {
  const element = draw({ mine: true, text, at: new Date().toISOString(), kind: "said", links: [], options: [] });
  element.classList.add("pending", "arrived");
  log.append(element);
  pending.push({ text: text.trim(), element });
  toEnd();
  return element;
}

/** The guest's words came back: they take the place of what was shown in the meantime. */
function takePending(text) {
  const said = text.trim();
  const index = pending.findIndex((one) => one.text === said);
  return index < 0 ? null : pending.splice(index, 1)[0].element;
}

function forget(element) {
  const index = pending.findIndex((one) => one.element === element);
  if (index >= 0) pending.splice(index, 1);
}

function expectAnswer() {
  writing.hidden = false;
  find(".writing b").textContent = words.writing;
  toEnd();
  clearTimeout(overdue);
  overdue = setTimeout(() => {
    writing.hidden = true;
    if (source) listen();
  }, ANSWER_SECONDS * 1000);
}

function answerCame() {
  clearTimeout(overdue);
  writing.hidden = true;
}

/** A page of ours that has the chat in a frame (the demo) may look on; another site's may not. */
function tellFrame(message) {
  if (parent !== window) parent.postMessage({ malva: "chat", message }, location.origin);
}

// -- the page -------------------------------------------------------------------------------------

/** The newest message stays in sight, unless the guest has scrolled up to read. */
function toEnd() {
  following = true;
  newer.hidden = true;
  main.scrollTop = main.scrollHeight;
}

const isAtEnd = () => main.scrollHeight - main.scrollTop - main.clientHeight < 60;

main.addEventListener("scroll", () => {
  if (isAtEnd()) following = true;
  else if (main.scrollTop < lastTop) following = false; // only a person scrolls up
  lastTop = main.scrollTop;
  if (following) newer.hidden = true;
});
const keepAtEnd = new ResizeObserver(() => following && toEnd());
keepAtEnd.observe(log);
keepAtEnd.observe(main);

function grow() {
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight + 2}px`;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = input.value.trim();
  if (!text) return;
  input.value = "";
  grow();
  write({ kind: "text", text }, text);
});
input.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
input.addEventListener("input", grow);
newer.textContent = words.newer;
newer.addEventListener("click", () => toEnd());
setInterval(settle, 5000);
window.addEventListener("online", () => source && listen());

/** The first look starts the conversation, and so does each link of a cafe; only somebody who
 *  looks does, not a page that is loaded ahead. */
function begin() {
  if (document.visibilityState !== "visible") {
    document.addEventListener("visibilitychange", begin, { once: true });
    return;
  }
  const { payload, known } = document.body.dataset;
  begun = isNews(payload) || !known;
  if (known) listen();
  if (begun) write({ kind: "start", payload });
}

/** A cafe's link is followed once: a page with the chat in a frame has it on every visit. */
function isNews(payload) {
  if (!payload) return false;
  try {
    const before = localStorage.getItem("malva-start");
    localStorage.setItem("malva-start", payload);
    return payload !== before;
  } catch {
    return true; // this browser keeps nothing for a frame
  }
}

begin();
