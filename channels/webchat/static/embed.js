// On a cafe's own site: <script src="https://…/chat/embed.js" data-cafe="bife" async></script>
// puts a button in the corner that opens the chat in a frame. Nothing of the site is touched: the
// button lives in a shadow tree, and the frame is loaded with the first click.
(() => {
  const labels = {};
  const script = document.currentScript;
  const server = new URL(script.src).origin;
  const language = (script.dataset.lang || document.documentElement.lang || navigator.language).slice(0, 2);
  const label = script.dataset.label || labels[language] || labels.en;
  const query = new URLSearchParams();
  if (script.dataset.cafe) query.set("cafe", script.dataset.cafe);
  if (labels[language]) query.set("lang", language);

  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "closed" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host { position: fixed; right: 20px; bottom: 20px; z-index: 2147483000; }
    button { font: 600 16px/1 system-ui, sans-serif; border: 0; border-radius: 999px; padding: 16px 22px;
      background: #8a3a69; color: #fff; cursor: pointer; box-shadow: 0 6px 24px rgb(0 0 0 / 25%); }
    button:focus-visible { outline: 3px solid #8a3a69; outline-offset: 3px; }
    iframe { display: none; width: min(400px, calc(100vw - 32px)); height: min(640px, calc(100dvh - 110px));
      border: 0; border-radius: 20px; margin-bottom: 12px; box-shadow: 0 12px 48px rgb(0 0 0 / 30%); background: #fbf7f1; }
    :host(.open) iframe { display: block; }
    div { display: flex; flex-direction: column; align-items: flex-end; }`);
  root.adoptedStyleSheets = [sheet];

  const box = document.createElement("div");
  const frame = document.createElement("iframe");
  frame.title = label;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => {
    if (!frame.src) frame.src = `${server}/chat?${query}`;
    const open = host.classList.toggle("open");
    button.setAttribute("aria-expanded", String(open));
    button.textContent = open ? "×" : label;
    button.setAttribute("aria-label", label);
  });
  box.append(frame, button);
  root.append(box);
  document.body.append(host);
})();
