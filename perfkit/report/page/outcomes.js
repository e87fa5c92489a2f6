// The buttons over the outcomes: each shows or hides the rules of one state.
const MANY = 12;
const QUIET = ["clear", "not-applicable"];

for (const block of document.querySelectorAll(".outcomes")) {
  const buttons = [...block.querySelectorAll("button[data-state]")];
  const checks = [...block.querySelectorAll("[data-state].check")];
  const off = block.querySelector(".none");

  const show = () => {
    const wanted = new Set(
      buttons.filter((b) => b.getAttribute("aria-pressed") === "true").map((b) => b.dataset.state),
    );
    checks.forEach((check) => check.classList.toggle("off", !wanted.has(check.dataset.state)));
    const left = checks.filter((check) => check.classList.contains("off")).length;
    off.textContent = left ? `${left} not shown` : "";
  };
  const press = (button, on) => button.setAttribute("aria-pressed", String(on));

  for (const button of buttons) {
    button.disabled = button.dataset.count === "0";
    button.addEventListener("click", () => {
      press(button, button.getAttribute("aria-pressed") !== "true");
      show();
    });
    if (checks.length > MANY && QUIET.includes(button.dataset.state)) press(button, false);
  }
  block.addEventListener("reveal", (event) => {
    const state = event.target.dataset.state;
    buttons.filter((button) => button.dataset.state === state).forEach((b) => press(b, true));
    show();
  });
  show();
}
