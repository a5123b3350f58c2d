// <till-camera>: a button that opens the camera in place. What a guest's QR code says becomes an
// event on the document, and the camera closes:
//
//   document.addEventListener("scanned", ({ detail: text }) => …);
//
// Its parts and words are in portal/templates/till/camera.html.

import { lampOf, scan } from "./scanner.js";

const OURS = /^MALVA/; // a card or a redemption; not the poster beside the till

class TillCamera extends HTMLElement {
  #over = null; // ends the scan that runs

  connectedCallback() {
    this.words = JSON.parse(this.dataset.words);
    [this.openButton, this.view, this.video, this.lampButton, this.closeButton, this.notice] = [
      ".open", ".view", "video", ".lamp", ".close", ".notice",
    ].map((selector) => this.querySelector(selector));
    this.openButton.onclick = () => this.open();
    this.closeButton.onclick = () => this.close();
    this.lampButton.onclick = () => this.#switchLamp();
    this.video.onplaying = () => this.#look();
    this.onkeydown = ({ key }) => {
      if (key === "Escape") this.close();
    };
    this.hidden = false;
  }

  disconnectedCallback() {
    this.#over?.abort();
  }

  async open() {
    this.#over?.abort();
    const over = (this.#over = new AbortController());
    this.#show(true);
    this.#say(this.words.waiting, true);
    try {
      await scan(this.video, (text) => this.#found(text), over.signal);
    } catch (error) {
      if (this.#over === over) this.#end(this.words[error.reason] ?? this.words.busy);
    }
    if (this.#over === over) this.#end("");
  }

  close() {
    this.#end("");
  }

  #found(text) {
    if (!OURS.test(text)) return this.#say(this.words.other);
    navigator.vibrate?.(60);
    this.#end("");
    document.dispatchEvent(new CustomEvent("scanned", { detail: text }));
  }

  #end(notice) {
    if (!this.#over) return;
    this.#over.abort();
    this.#over = null;
    this.#show(false);
    this.#say(notice);
    this.openButton.focus();
  }

  #look() {
    this.#say(this.words.hint, true);
    this.lampButton.hidden = !lampOf(this.video);
    this.lampButton.ariaPressed = "false";
  }

  async #switchLamp() {
    const on = this.lampButton.ariaPressed !== "true";
    await lampOf(this.video)?.(on);
    this.lampButton.ariaPressed = String(on);
  }

  #show(open) {
    this.view.hidden = !open;
    this.openButton.hidden = open;
    this.lampButton.hidden = true;
    if (open) this.closeButton.focus();
  }

  #say(text, calm = false) {
    this.notice.textContent = text;
    this.notice.classList.toggle("calm", calm);
  }
}

customElements.define("till-camera", TillCamera);
