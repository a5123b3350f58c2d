// Rewards on the live card: pick, get the code, watch its ten minutes run, cancel. What the till does
// comes with card.js's events; the QR and the code are asked for by POST and are nowhere else.

const words = JSON.parse(document.body.dataset.words);
const here = location.pathname.replace(/\/$/, "");
const find = (selector) => document.querySelector(selector);
const [section, basket, news] = [".picked", ".basket", ".news"].map(find);
const part = (selector) => section.querySelector(selector);
const number = new Intl.NumberFormat(document.documentElement.lang);

const chosen = new Set(); // ids of rewards, all of the programme `of`
let of = null;
let state = null;
let held = null; // {id, goodUntil}, once its code is shown
let busy = false;
let fading = 0;

// -- what there is to pick ------------------------------------------------------------------------

function draw(next) {
  const before = state;
  state = next;
  document.querySelectorAll(".account").forEach((element, n) => drawShelf(element, state.accounts[n]));
  drawBasket();
  const waiting = state.accounts.flatMap((account) => account.picked);
  const over = held && !waiting.some((one) => one.id === held.id);
  if (over) ended(held.id);
  else tellOf(before);
  if ((!held || over) && waiting.length) fetchCode(waiting[0].id);
}

function drawShelf(element, account) {
  const shelf = element.querySelector(".shelf");
  shelf.hidden = account.rewards.length === 0;
  shelf.querySelector(".expiring").textContent = account.expiring;
  shelf.querySelector(".rewards").replaceChildren(...account.rewards.map((one) => drawReward(one, account)));
}

function drawReward(reward, account) {
  const element = find("#reward").content.firstElementChild.cloneNode(true);
  const set = (selector, text) => (element.querySelector(selector).textContent = text);
  const button = element.querySelector("button");
  set(".name", reward.name);
  set(".cost", reward.cost);
  set(".about", reward.text);
  set(".note", reward.note);
  const bar = element.querySelector("progress");
  bar.hidden = reward.progress === null;
  bar.value = reward.progress ?? 0;
  if (reward.picture) {
    const picture = element.querySelector("img");
    picture.src = reward.picture;
    picture.hidden = false;
  }
  const pressed = of === account.id && chosen.has(reward.id);
  button.setAttribute("aria-pressed", String(pressed));
  button.disabled = reward.note !== "" || (!pressed && reward.points > left(account));
  button.addEventListener("click", () => toggle(reward, account));
  return element;
}

/** Points that are still to pick from: another programme's basket takes none of them. */
function left(account) {
  if (of !== account.id) return account.available;
  const sum = account.rewards.filter((one) => chosen.has(one.id)).reduce((n, one) => n + one.points, 0);
  return account.available - sum;
}

function toggle(reward, account) {
  if (of !== account.id) chosen.clear();
  of = account.id;
  if (!chosen.delete(reward.id)) chosen.add(reward.id);
  draw(state);
  const buttons = [...document.querySelectorAll(".reward button")];
  buttons.find((one) => one.querySelector(".name").textContent === reward.name)?.focus({ preventScroll: true });
}

function drawBasket() {
  const account = state.accounts.find((one) => one.id === of);
  const known = account?.rewards.filter((one) => one.note === "").map((one) => one.id) ?? [];
  for (const id of chosen) if (!known.includes(id)) chosen.delete(id);
  basket.hidden = chosen.size === 0;
  if (basket.hidden) return;
  const spent = account.available - left(account);
  basket.querySelector(".sum").textContent = `${number.format(spent)} / ${number.format(account.available)}`;
}

// -- what was picked ------------------------------------------------------------------------------

async function post(path, document) {
  const options = { method: "POST", cache: "no-store" };
  if (document) Object.assign(options, { headers: { "Content-Type": "application/json" }, body: JSON.stringify(document) });
  const response = await fetch(`${here}/redemptions${path}`, options);
  if (response.status >= 500) throw new Error(String(response.status));
  return { status: response.status, answer: await response.json() };
}

async function get() {
  if (busy) return;
  busy = true;
  basket.querySelector("button").disabled = true;
  try {
    const { status, answer } = await post("", { rewards: [...chosen] });
    if (status === 201) {
      chosen.clear();
      draw(state);
      show(answer);
    } else tell(answer.said ?? words.failed);
  } catch {
    tell(words.failed);
  }
  basket.querySelector("button").disabled = false;
  busy = false;
}

async function fetchCode(id) {
  try {
    const { status, answer } = await post(`/${id}/code`);
    if (status === 200) show(answer);
    else if (status === 410) finish(answer);
  } catch {
    setTimeout(() => held || fetchCode(id), 3000);
  }
}

function show(answer) {
  held = { id: answer.id, goodUntil: Date.now() + answer.good_for * 1000 };
  part(".code-picture").src = answer.qr;
  part(".code-picture").dataset.text = answer.text;
  part(".typed").textContent = answer.code;
  drawNames();
  section.hidden = false;
  document.body.classList.add("holding");
  tick();
  section.scrollIntoView({ block: "start", behavior: "smooth" });
}

function drawNames() {
  const mine = state.accounts.flatMap((account) => account.picked).find((one) => one.id === held.id);
  if (mine) {
    part("h2").textContent = mine.names;
    part(".held").textContent = mine.points;
  }
}

function tick() {
  if (!held) return;
  const seconds = Math.max(Math.ceil((held.goodUntil - Date.now()) / 1000), 0);
  part("time").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  if (seconds === 0) finish({ status: "expired", said: words.timeup });
}

async function cancel() {
  try {
    const { answer } = await post(`/${held.id}/cancel`);
    finish(answer);
  } catch {
    tell(words.failed);
  }
}

/** It waits for the till no longer, as it seems: what became of it? */
async function ended(id) {
  try {
    const { status, answer } = await post(`/${id}/code`);
    if (status !== 200) finish({ ...answer, id });
  } catch {
    setTimeout(() => held?.id === id && ended(id), 3000);
  }
}

function finish({ id, status, said }) {
  if (id && held && held.id !== id) return;
  held = null;
  section.hidden = true;
  part(".code-picture").removeAttribute("src");
  delete part(".code-picture").dataset.text;
  part(".typed").textContent = "";
  document.body.classList.remove("holding");
  document.dispatchEvent(new Event("malva:released"));
  if (said) tell(said, status === "confirmed");
}

// -- news -----------------------------------------------------------------------------------------

/** What came to an account since it was drawn last. */
function tellOf(before) {
  for (const account of before?.accounts ? state.accounts : []) {
    const old = before.accounts.find((one) => one.id === account.id)?.entries[0];
    const [newest] = account.entries;
    const same = old && ["when", "why", "points"].every((name) => old[name] === newest[name]);
    if (newest && !same) tell(`${newest.points} · ${newest.why}`, newest.up);
  }
}

function tell(text, good = false) {
  clearTimeout(fading);
  news.textContent = text;
  news.classList.toggle("good", good);
  fading = setTimeout(() => (news.textContent = ""), 8000);
}

document.addEventListener("malva:state", (event) => {
  draw(event.detail);
  if (held) drawNames();
});
basket.querySelector("button").addEventListener("click", get);
part(".cancel").addEventListener("click", cancel);
setInterval(tick, 500);
draw(JSON.parse(document.body.dataset.state));
