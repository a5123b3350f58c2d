// A name was tapped: what is typed next is the PIN, or somebody else's login.
for (const chip of document.querySelectorAll(".chips input")) {
  chip.addEventListener("change", () => {
    const next = chip.classList.contains("other") ? "login" : "pin";
    document.querySelector(`input[name=${next}]`).focus();
  });
}
