// What frames the demo: its steps, what happens, and on a phone its tabs.

export const words = JSON.parse(document.body.dataset.words);
export const { language, tag } = document.body.dataset;
export const find = (selector) => document.querySelector(selector);
export const all = (selector) => [...document.querySelectorAll(selector)];

const STEPS = ["join", "scan", "pay", "redeem", "end"];
const SHOWN_MOST = 8;

// -- steps and what happens -----------------------------------------------------------------------

let reached = "";

/** The step that is next; "end": all are done. */
export function reach(step) {
  reached = step;
  const at = STEPS.indexOf(step);
  for (const line of all(".steps li")) {
    const n = STEPS.indexOf(line.dataset.step);
    line.classList.toggle("done", n < at);
    if (n === at) line.setAttribute("aria-current", "step");
    else line.removeAttribute("aria-current");
    if (n === at) find(".now").textContent = line.querySelector("span").textContent;
  }
  if (step === "end") find(".now").textContent = words.end;
}

export const isAt = (step) => reached === step;

export function tell(text) {
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

// -- tabs, on a phone -----------------------------------------------------------------------------

const tabs = all(".tabs [role=tab]");

function choose(tab, focus = false) {
  for (const one of tabs) {
    const chosen = one === tab;
    one.setAttribute("aria-selected", String(chosen));
    one.tabIndex = chosen ? 0 : -1;
    find(`#${one.getAttribute("aria-controls")}`).classList.toggle("shown", chosen);
  }
  tab.classList.remove("unseen");
  if (focus) tab.focus();
}

/** Something is to be seen in these parts, for whoever doesn't have them in sight. */
export function news(...parts) {
  for (const part of parts) {
    const tab = find(`#tab-${part}`);
    if (tab.getAttribute("aria-selected") !== "true") tab.classList.add("unseen");
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
