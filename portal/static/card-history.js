// The movements of an account on the live card: the latest come with the page and its events, earlier
// ones are fetched when they are wanted, and stay while the page is open.

const here = location.pathname.replace(/\/$/, "");
const opened = new Map(); // by account: {entries by id, older}

/** Fills an account's part of the page. */
export function drawHistory(element, account) {
  const seen = opened.get(account.id);
  for (const entry of seen ? account.entries : []) seen.entries.set(entry.id, entry);
  const entries = seen ? [...seen.entries.values()].sort((a, b) => b.id - a.id) : account.entries;
  element.querySelector(".entries").replaceChildren(...entries.map(drawEntry));
  const button = element.querySelector(".earlier");
  button.hidden = !(seen ?? account).older;
  button.onclick = () => fetchEarlier(element, account, entries, button);
}

async function fetchEarlier(element, account, entries, button) {
  button.disabled = true;
  try {
    const asked = new URLSearchParams({ programme: account.id, before: entries.at(-1).id });
    const response = await fetch(`${here}/entries?${asked}`, { cache: "no-store" });
    if (!response.ok) throw new Error(String(response.status));
    const { entries: more, older } = await response.json();
    opened.set(account.id, { entries: new Map([...entries, ...more].map((one) => [one.id, one])), older });
    drawHistory(element, account);
  } catch {
    document.dispatchEvent(new Event("malva:failed"));
  }
  button.disabled = false;
}

function drawEntry(entry) {
  const element = document.querySelector("#entry").content.firstElementChild.cloneNode(true);
  element.querySelector(".why").textContent = entry.why;
  element.querySelector("b").textContent = entry.points;
  element.querySelector("b").className = entry.up ? "up" : "down";
  element.querySelector("time").textContent = entry.when;
  return element;
}
