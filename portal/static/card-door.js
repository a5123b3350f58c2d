// The card inside Telegram: hands on what Telegram says of who looks, and goes to their card.

const main = document.querySelector(".door");
const part = (selector) => main.querySelector(selector);
const data = new URLSearchParams(location.hash.slice(1)).get("tgWebAppData");

async function enter() {
  show({ waiting: true });
  try {
    const headers = { "Content-Type": "application/json" };
    const response = await fetch("/card", { method: "POST", headers, body: JSON.stringify({ data }) });
    const answer = await response.json();
    if (response.ok) location.replace(answer.card);
    else show({ said: answer.said ?? main.dataset.failed });
  } catch {
    show({ said: main.dataset.failed, again: true });
  }
}

function show({ waiting = false, said = "", again = false }) {
  part(".outside").hidden = true;
  part(".waiting").hidden = !waiting;
  part(".said").hidden = said === "";
  part(".said").textContent = said;
  part(".again").hidden = !again;
}

part(".again").addEventListener("click", enter);
if (data) enter();
