// The search: entries that hold every word stay, those with it in their name or title come into view open
// when they are the only ones. A link to an entry that the search hides clears the search.
const field = document.querySelector(".search input");
const status = document.querySelector(".search .count");
const chapters = [...document.querySelectorAll("main > section")].map((section) => ({
  section,
  entries: [...section.querySelectorAll(".entry")].map((entry) => ({
    entry,
    head: entry.querySelector("summary").textContent.toLowerCase(),
    text: entry.textContent.toLowerCase(),
  })),
}));
const total = chapters.reduce((sum, chapter) => sum + chapter.entries.length, 0);
let opened = null;

const search = () => {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  const holds = (text) => words.every((word) => text.includes(word));
  const found = [];
  for (const { section, entries } of chapters) {
    const heads = entries.filter(({ head }) => holds(head));
    const shown = entries.filter(({ text }) => holds(text));
    for (const { entry } of entries) entry.hidden = true;
    for (const { entry } of shown) entry.hidden = false;
    // Names and titles first: what only mentions the words stands below.
    if (words.length) section.append(...[...new Set([...heads, ...shown])].map(({ entry }) => entry));
    else section.append(...entries.map(({ entry }) => entry));
    section.hidden = words.length > 0 && shown.length === 0;
    found.push(...shown);
  }
  if (opened) opened.open = false;
  opened = words.length && found.length === 1 && !found[0].entry.open ? found[0].entry : null;
  if (opened) opened.open = true;
  status.textContent = words.length ? `${found.length} of ${total}` : "";
};

document.querySelector(".search").hidden = false;
field.addEventListener("input", search);
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target === field) return;
  event.preventDefault();
  field.focus();
});
field.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  field.value = "";
  search();
});
document.addEventListener("reveal", (event) => {
  if (!event.target.hidden && !event.target.closest("[hidden]")) return;
  field.value = "";
  search();
});
