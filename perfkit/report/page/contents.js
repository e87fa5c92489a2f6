// The table of contents: where the reader is, and a menu on narrow screens that closes by itself.
const menu = document.querySelector("details.menu");
if (menu) {
  menu.addEventListener("click", (event) => {
    if (event.target.closest("a")) menu.open = false;
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
}

const links = new Map([...document.querySelectorAll(".side a")].map((a) => [a.hash.slice(1), a]));
const visible = new Set();
const sections = [...document.querySelectorAll("main > section")];
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) visible.add(target.id);
    else visible.delete(target.id);
  }
  const first = sections.find((section) => visible.has(section.id));
  if (!first) return;
  for (const [id, link] of links) {
    if (id === first.id) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}, { rootMargin: "-15% 0px -70% 0px" });
sections.forEach((section) => watcher.observe(section));
