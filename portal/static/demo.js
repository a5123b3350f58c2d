// The demo: a till beside the guest's chat and card. What the till does goes to the server, which
// asks the till API; what the guest sees comes from the chat's own frame.

const words = JSON.parse(document.body.dataset.words);
const { language, tag } = document.body.dataset;
const find = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const chat = find("iframe[name=chat]");
const cardFrame = find("iframe[name=card]");
const till = find(".device");
const [visitor, who, receipt, answer, pay] = [".visitor", ".who", ".receipt", ".answer", ".pay"].map(find);
const STEPS = ["join", "scan", "pay", "arrive"];
const CARDS = ["card", "card_renewal", "card_end"];
const SHOWN_MOST = 8;

let visit = null;
let order = null; // the last one, that can be refunded
let paidAt = 0;
const basket = new Map();

// -- steps and what happens -----------------------------------------------------------------------

function reach(step) {
  const at = STEPS.indexOf(step);
  for (const line of all(".steps li")) {
    const n = STEPS.indexOf(line.dataset.step);
    line.classList.toggle("done", n < at || (n === at && step === "arrive"));
    if (n === at && step !== "arrive") line.setAttribute("aria-current", "step");
    else line.removeAttribute("aria-current");
    if (n === at) find(".now").textContent = line.querySelector("span").textContent;
  }
}

function tell(text) {
  const line = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString("en-GB");
  const said = document.createElement("span");
  said.textContent = text;
  line.append(time, said);
  find(".activity .nothing")?.remove();
  const list = find(".activity ol");
  list.prepend(line);
  while (list.children.length > SHOWN_MOST) list.lastElementChild.remove();
}

// -- the guest's side -----------------------------------------------------------------------------

window.addEventListener("message", (event) => {
  if (event.origin !== location.origin || event.data?.malva !== "chat") return;
  if (event.data.message) heard(event.data.message);
  else lookForCard();
});

function heard(message) {
  if (CARDS.includes(message.kind)) {
    showCard(message.links);
    return;
  }
  if (message.kind.startsWith("points_")) {
    const ms = Math.round(performance.now() - paidAt);
    const timed = paidAt && message.kind === "points_earned";
    tell(timed ? words.arrived.replace("{ms}", ms) : words.notified);
    if (timed) reach("arrive");
    paidAt = 0;
    news("guest", "result");
  }
}

/** The live card opens by the link that the chat gives. */
function showCard(links) {
  const link = links.find(({ url }) => url.startsWith("/card/"));
  if (!link || cardFrame.getAttribute("src") === link.url) return;
  cardFrame.src = link.url;
  cardFrame.hidden = false;
  find(".empty").hidden = true;
  if (find(".steps [data-step=join]").hasAttribute("aria-current")) reach("scan");
  tell(words.joined);
  news("till", "result");
}

/** A card that was in the chat already when this page was opened. */
function lookForCard() {
  const link = chat.contentDocument?.querySelector('a[href^="/card/"]');
  if (link && cardFrame.hidden) showCard([{ url: link.getAttribute("href") }]);
}

/** What a scanner would see: the card in the chat, or else the live card. */
function onScreen() {
  const picture = [...(chat.contentDocument?.querySelectorAll(".message.card .picture:not([hidden])") ?? [])].at(-1);
  const live = cardFrame.contentDocument?.querySelector(".qr:not([hidden])")?.dataset.text;
  if (live) return { qr: live };
  return picture ? { picture: picture.getAttribute("src") } : null;
}

// -- the till -------------------------------------------------------------------------------------

const cafe = () => find("input[name=cafe]:checked").value;

/** What the till API answered, in words; null where it refused, and that is told. */
async function ask(path, body) {
  answer.textContent = "";
  till.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(`/demo/till/${cafe()}/${path}?lang=${language}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const document = await response.json();
    if (response.ok) return document;
    answer.textContent = document.said ?? words.offline;
  } catch {
    answer.textContent = words.offline;
  } finally {
    till.removeAttribute("aria-busy");
  }
  return null;
}

async function identify(proof) {
  const found = await ask("identify", proof);
  if (!found) return;
  visit = found.visit;
  visitor.querySelector(".name").textContent = found.name;
  visitor.querySelector(".has").textContent = found.balance;
  visitor.querySelector(".outlook").textContent = found.outlook;
  visitor.hidden = false;
  who.hidden = true;
  receipt.hidden = true;
  tell(found.said);
  reach("pay");
}

function nextGuest() {
  visit = null;
  visitor.hidden = true;
  who.hidden = false;
  receipt.hidden = true;
  answer.textContent = "";
  find("#code").value = "";
  empty();
  reach("scan");
}

async function takePayment() {
  const id = newId();
  const items = Object.fromEntries(basket);
  const started = performance.now();
  paidAt = started;
  pay.disabled = true;
  const paid = await ask("orders", { id, items, ...(visit && { visit }) });
  if (!paid) {
    paidAt = 0;
    drawTotal();
    return;
  }
  order = paid.points ? id : null;
  tell(paid.said);
  showReceipt(paid);
  find(".refund").hidden = !order;
  empty();
}

async function refund() {
  const done = await ask("refunds", { id: order });
  if (!done) return;
  order = null;
  find(".refund").hidden = true;
  showReceipt(done);
  tell(done.said);
}

function showReceipt({ points, said, balance }) {
  const shown = receipt.querySelector(".points");
  shown.textContent = points;
  shown.classList.toggle("down", /^[-−]/.test(points));
  receipt.querySelector(".said").textContent = said;
  receipt.hidden = false;
  if (balance) {
    visitor.querySelector(".has").textContent = balance;
    visitor.querySelector(".outlook").textContent = "";
  }
}

const newId = () => `demo${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`;

// -- the basket -----------------------------------------------------------------------------------

const shelf = () => find(`.products[data-cafe="${cafe()}"]`);

function put(line, change) {
  const { sku } = line.dataset;
  const count = Math.max((basket.get(sku) ?? 0) + change, 0);
  if (count) basket.set(sku, count);
  else basket.delete(sku);
  drawLine(line, count);
  drawTotal();
  if (change > 0) receipt.hidden = true;
}

function drawLine(line, count) {
  line.classList.toggle("chosen", count > 0);
  line.querySelector(".count").textContent = count || "";
  line.querySelector(".count").hidden = !count;
  line.querySelector(".fewer").hidden = !count;
}

function empty() {
  basket.clear();
  for (const line of all(".products li")) drawLine(line, 0);
  drawTotal();
}

function drawTotal() {
  const lines = [...shelf().querySelectorAll("li")];
  const minor = lines.reduce((sum, line) => sum + Number(line.dataset.minor) * (basket.get(line.dataset.sku) ?? 0), 0);
  const { currency, scale } = shelf().dataset;
  find(".total b").textContent = `${new Intl.NumberFormat(tag).format(minor / scale)}\u00a0${currency}`;
  pay.disabled = minor === 0;
}

// -- tabs, on a phone -----------------------------------------------------------------------------

const tabs = all(".tabs [role=tab]");

function choose(tab, focus = false) {
  for (const one of tabs) {
    const chosen = one === tab;
    one.setAttribute("aria-selected", String(chosen));
    one.tabIndex = chosen ? 0 : -1;
    find(`#${one.getAttribute("aria-controls")}`).classList.toggle("shown", chosen);
  }
  tab.classList.remove("news");
  if (focus) tab.focus();
}

/** Something is to be seen in these parts, for whoever doesn't have them in sight. */
function news(...parts) {
  for (const part of parts) {
    const tab = find(`#tab-${part}`);
    if (tab.getAttribute("aria-selected") !== "true") tab.classList.add("news");
  }
}

tabs.forEach((tab, n) => {
  tab.addEventListener("click", () => {
    choose(tab);
    find(".stage").scrollIntoView({ block: "start" });
  });
  tab.addEventListener("keydown", ({ key }) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (step) choose(tabs.at((n + step) % tabs.length), true);
  });
});

// -- what is pressed ------------------------------------------------------------------------------

find(".scan").addEventListener("click", () => {
  const seen = onScreen();
  const button = find(".scan");
  button.classList.add("scanning");
  button.addEventListener("animationend", () => button.classList.remove("scanning"), { once: true });
  if (seen) identify(seen);
  else answer.textContent = words.nocard;
});
find(".typed").addEventListener("submit", (event) => {
  event.preventDefault();
  const code = find("#code").value.replace(/[^0-9]/g, "");
  if (code.length === 6) identify({ code });
  else answer.textContent = words.digits;
});
for (const line of all(".products li")) {
  line.querySelector(".product").addEventListener("click", () => put(line, 1));
  line.querySelector(".fewer").addEventListener("click", () => put(line, -1));
}
for (const radio of all("input[name=cafe]")) {
  radio.addEventListener("change", () => {
    for (const list of all(".products")) list.hidden = list.dataset.cafe !== cafe();
    nextGuest();
    if (cardFrame.hidden) reach("join");
  });
}
find(".next-guest").addEventListener("click", nextGuest);
pay.addEventListener("click", takePayment);
find(".refund").addEventListener("click", refund);
reach("join");
drawTotal();
