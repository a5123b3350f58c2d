// A name was tapped: what is typed next is the PIN, or somebody else's login. Whoever walks through
// the names by arrow keys is left where they are (`detail` counts a pointer's clicks).
for (const chip of document.querySelectorAll(".chips input")) {
  chip.addEventListener("click", (event) => {
    if (event.detail === 0) return;
    const next = chip.classList.contains("other") ? "login" : "pin";
    document.querySelector(`input[name=${next}]`).focus();
  });
}
