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
  hold(target);
};

// Charts that are drawn above, or a frame that still grows, would carry the place away: it is held until
// the page has settled or the reader takes over.
const SETTLED_MS = 3000;
let held = null;
const hold = (target) => {
  held = target;
  held.scrollIntoView({ block: "start" });
  setTimeout(() => { if (held === target) held = null; }, SETTLED_MS);
};
for (const moved of ["wheel", "touchstart", "pointerdown", "keydown"]) {
  addEventListener(moved, () => { held = null; }, { passive: true });
}
new ResizeObserver(() => held?.scrollIntoView({ block: "start" })).observe(document.body);

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
