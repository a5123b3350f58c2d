// Invite a friend: what stands here is what is sent. It is asked for when it is first opened.

const words = JSON.parse(document.body.dataset.words);
const here = location.pathname.replace(/\/$/, "");
const section = document.querySelector(".invite");
const [promise, letter, came, said] = [".promise", ".letter", ".came", ".said"].map((one) => section.querySelector(one));
const [share, copy] = [".share", ".copy"].map((one) => section.querySelector(one));

section.hidden = false;
section.addEventListener("toggle", () => section.open && load());
share.addEventListener("click", () => navigator.share({ text: letter.textContent }).catch(() => {})); // closed again
copy.addEventListener("click", copyLetter);

async function load() {
  try {
    const response = await fetch(`${here}/invitation`, { method: "POST", cache: "no-store" });
    if (!response.ok) throw new Error(String(response.status));
    show(await response.json());
  } catch {
    said.textContent = words.failed;
  }
}

function show(invitation) {
  said.textContent = "";
  promise.textContent = invitation.promise.join(" ");
  letter.textContent = invitation.letter;
  letter.hidden = false;
  came.textContent = invitation.came.join(" ");
  share.hidden = !navigator.share;
  copy.hidden = false;
}

async function copyLetter() {
  try {
    await navigator.clipboard.writeText(letter.textContent);
    said.textContent = words.copied;
  } catch {
    getSelection().selectAllChildren(letter); // plain http, or not allowed: they copy it themselves
  }
}
