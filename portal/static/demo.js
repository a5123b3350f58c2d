// The demo's till, beside the guest's chat and card. What it does goes to the server, which asks the
// till API; each answer says in words what came of it.

import { cafe, changeShelf, drawTotal, empty, rungUp } from "./demo-basket.js";
import { awaitPoints, hasCard, onScreen } from "./demo-guest.js";
import { all, find, language, news, reach, tell, words } from "./demo-stage.js";

const till = find(".device");
const [visitor, picking, receipt, answer, pay] = [".visitor", ".picking", ".receipt", ".answer", ".pay"].map(find);
const ASKING_AGAIN = 1500; // ms, until the guest has said yes

let visit = null;
let rewards = []; // of whoever is at the till: {id, name, cost, points}
let order = null; // the last one, that can be refunded
let picked = null; // {id, waiting}: what can be confirmed

// -- asking the till API --------------------------------------------------------------------------

/** What came of it; `refused` where nothing did, and `lost` where nobody answered. */
async function post(path, body) {
  try {
    const response = await fetch(`/demo/till/${cafe()}/${path}?lang=${language}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const document = await response.json();
    return response.ok ? document : { refused: true, said: document.said ?? words.offline };
  } catch {
    return { refused: true, lost: true, said: words.offline };
  }
}

/** The same, for a press of a button; null where it was refused, and that is told. */
async function ask(path, body) {
  refuse("");
  till.setAttribute("aria-busy", "true");
  const done = await post(path, body);
  till.removeAttribute("aria-busy");
  if (done.refused) {
    refuse(done.said);
    return null;
  }
  tell(done.said);
  return done;
}

function refuse(text) {
  answer.textContent = text;
  if (text) answer.scrollIntoView({ block: "nearest" });
}

// -- who it is ------------------------------------------------------------------------------------

async function scan(proof) {
  const found = await ask("scan", proof);
  if (!found) return;
  welcome(found);
  if (found.picked) hold(found.picked);
  reach(found.picked ? "redeem" : "pay");
}

function welcome(found) {
  visit = found.visit;
  rewards = found.rewards ?? [];
  visitor.querySelector(".name").textContent = found.name;
  showBalance(found.balance);
  visitor.querySelector(".outlook").textContent = found.outlook ?? "";
  visitor.hidden = false;
  till.classList.add("served");
  receipt.hidden = true;
  letGo();
  find("#code").value = "";
}

function showBalance({ points, text }) {
  visitor.querySelector(".has").textContent = text;
  visitor.querySelector(".outlook").textContent = "";
  drawRewards(points);
}

function nextGuest() {
  visit = null;
  visitor.hidden = true;
  till.classList.remove("served");
  receipt.hidden = true;
  letGo();
  refuse("");
  find("#code").value = "";
  empty();
  reach("scan");
}

// -- paying ---------------------------------------------------------------------------------------

const newId = () => `demo${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`;

async function takePayment() {
  const id = newId();
  awaitPoints();
  pay.disabled = true;
  const paid = await ask("order", { id, items: rungUp(), ...(visit && { visit }) });
  if (!paid) {
    awaitPoints(false);
    drawTotal();
    return;
  }
  order = paid.points ? id : null;
  if (!order) awaitPoints(false);
  showReceipt(paid);
  empty();
}

async function refund() {
  const done = await ask("refund", { id: order });
  if (!done) return;
  order = null;
  showReceipt(done);
}

function showReceipt({ points, said, balance }) {
  const shown = receipt.querySelector(".points");
  shown.textContent = points;
  shown.classList.toggle("down", /^[-−]/.test(points));
  receipt.querySelector(".said").textContent = said;
  find(".refund").hidden = !order;
  receipt.hidden = false;
  receipt.scrollIntoView({ block: "nearest" });
  if (balance && visit) showBalance(balance);
}

// -- rewards --------------------------------------------------------------------------------------

/** Those that the till can start itself, for the guest who stands there. */
function drawRewards(balance) {
  const list = visitor.querySelector(".offers");
  list.hidden = rewards.length === 0;
  list.querySelector("ul").replaceChildren(...rewards.map((reward) => offer(reward, balance)));
}

function offer(reward, balance) {
  const line = document.createElement("li");
  const button = document.createElement("button");
  const cost = document.createElement("small");
  button.type = "button";
  button.textContent = reward.name;
  button.disabled = reward.points > balance;
  cost.textContent = reward.cost;
  button.append(cost);
  button.addEventListener("click", () => start(reward));
  line.append(button);
  return line;
}

async function start(reward) {
  const started = await ask("start", { visit, reward: reward.id });
  if (!started) return;
  receipt.hidden = true;
  hold(started.picked);
  if (!picked.waiting) return;
  news("guest");
  confirm(picked.id);
}

/** Shows what was picked; until `letGo` it can be confirmed. */
function hold(found) {
  picked = found;
  picking.querySelector("b").textContent = found.names;
  picking.querySelector(".takes").textContent = found.points;
  picking.querySelector(".asked").hidden = !found.waiting;
  picking.querySelector(".confirm").hidden = found.waiting;
  picking.hidden = false;
  visitor.querySelector(".offers").hidden = true;
}

function letGo() {
  picked = null;
  picking.hidden = true;
  visitor.querySelector(".offers").hidden = rewards.length === 0;
}

/** Where the guest has to say yes first, it asks again until they do; their no ends it, too. */
async function confirm(id) {
  if (picked?.id !== id) return;
  refuse("");
  const done = await post("confirm", { redemption: id });
  if (picked?.id !== id) return;
  if (done.waiting || (done.lost && picked.waiting)) {
    setTimeout(confirm, ASKING_AGAIN, id);
  } else if (done.refused) {
    giveUp(done);
  } else {
    tell(done.said);
    letGo();
    order = null;
    showReceipt(done);
    reach("end");
  }
}

async function cancel(id) {
  refuse("");
  const done = await post("cancel", { redemption: id });
  if (done.refused) return giveUp(done);
  tell(done.said);
  letGo();
}

/** What the till API refuses can't be confirmed any more; without an answer it still may. */
function giveUp({ lost, said }) {
  refuse(said);
  if (!lost) letGo();
}

// -- what is pressed ------------------------------------------------------------------------------

find(".scan").addEventListener("click", () => {
  const seen = onScreen();
  const button = find(".scan");
  button.classList.add("scanning");
  button.addEventListener("animationend", () => button.classList.remove("scanning"), { once: true });
  if (seen) scan(seen);
  else refuse(words.nocard);
});
find(".by-hand").addEventListener("submit", (event) => {
  event.preventDefault();
  scan({ typed: find("#code").value.trim() });
});
for (const radio of all("input[name=cafe]")) {
  radio.addEventListener("change", () => {
    changeShelf();
    nextGuest();
    if (!hasCard()) reach("join");
  });
}
find(".next-guest").addEventListener("click", nextGuest);
pay.addEventListener("click", takePayment);
find(".refund").addEventListener("click", refund);
find(".confirm").addEventListener("click", () => confirm(picked.id));
find(".cancel").addEventListener("click", () => cancel(picked.id));
reach("join");
drawTotal();
