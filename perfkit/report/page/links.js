// A link to a finding, a rule or a line of source opens what it is folded into and takes the focus
// there. What hides it otherwise (a filter, another view) hears "reveal" and shows it again.
const reveal = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (!target) return;
  for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) {
    fold.open = true;
  }
  target.dispatchEvent(new Event("reveal", { bubbles: true }));
  if (target.tabIndex < 0) target.tabIndex = -1;
  target.focus({ preventScroll: true });
  target.scrollIntoView({ block: "start" });
};

addEventListener("hashchange", reveal);
addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#"]');
  if (link && link.hash === location.hash) reveal();
});

// Paper has no clicks: print all but the documentation (leaves), then fold it again.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open], .leaf)")];
  folded.forEach((fold) => { fold.open = true; });
});
addEventListener("afterprint", () => folded.forEach((fold) => { fold.open = false; }));

reveal();
