// The demo's guest: what the chat in its frame says, the live card beside it, and what a scanner
// would see of both.

import { find, isAt, news, reach, tell, words } from "./demo-stage.js";

const chat = find("iframe[name=chat]");
const card = find("iframe[name=card]");
const CARDS = ["card", "card_renewal", "card_end"];
const NOTICE = /^(points|redemption|invitation)_/;
const PICTURES = ".message.card .picture:not([hidden]), .message[data-kind=redemption] .picture:not([hidden])";

let paidAt = 0;

/** From now on the message about a payment is awaited; `false`: none is. */
export function awaitPoints(awaited = true) {
  paidAt = awaited ? performance.now() : 0;
}

export const hasCard = () => !card.hidden;

window.addEventListener("message", (event) => {
  if (event.origin !== location.origin || event.data?.malva !== "chat") return;
  if (event.data.message) heard(event.data.message);
  else lookForCard();
});

function heard({ kind, links }) {
  if (CARDS.includes(kind)) showCard(links);
  if (!NOTICE.test(kind)) return;
  if (paidAt && kind === "points_earned") {
    tell(words.arrived.replace("{ms}", Math.round(performance.now() - paidAt)));
    paidAt = 0;
    reach("redeem");
  } else tell(words.notified);
  news("guest", "result");
}

/** The live card opens by the link that the chat gives. */
function showCard(links) {
  const link = links.find(({ url }) => url.startsWith("/card/"));
  if (!link || card.getAttribute("src") === link.url) return;
  card.src = link.url;
  card.hidden = false;
  find(".empty").hidden = true;
  if (isAt("join")) reach("scan");
  tell(words.joined);
  news("till", "result");
}

/** A card that was in the chat already when this page was opened. */
function lookForCard() {
  const link = chat.contentDocument?.querySelector('a[href^="/card/"]');
  if (link && !hasCard()) showCard([{ url: link.getAttribute("href") }]);
}

/** What a scanner would see: on the live card a picked reward or else the card; without it, the
 *  newest of both in the chat. */
export function onScreen() {
  const page = card.contentDocument;
  const live = page?.querySelector(".picked:not([hidden]) .code-picture[data-text]") ?? page?.querySelector(".qr:not([hidden])");
  if (live?.dataset.text) return { qr: live.dataset.text };
  const picture = [...(chat.contentDocument?.querySelectorAll(PICTURES) ?? [])].at(-1);
  return picture ? { picture: picture.getAttribute("src") } : null;
}
