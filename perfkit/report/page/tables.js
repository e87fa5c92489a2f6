// Tables: sort by a column, filter by text, draw the rows that wait as data when asked to.
const SORTED_FROM = 6;
const FILTERED_FROM = 16;
const STEP = 200;
const SCALES = {
  ns: 1, "µs": 1e3, ms: 1e6, s: 1e9, min: 6e10, h: 3.6e12,
  B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40, "%": 0.01,
  "kFLOP/s": 1e3, "MFLOP/s": 1e6, "GFLOP/s": 1e9, "TFLOP/s": 1e12, "PFLOP/s": 1e15,
};
const NUMBER = /^\D{0,2}?(-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)\s*([^\s\d–]*)/;

// "1.5 ms" as a number that compares with "20 µs"; null for what is none, such as a dash.
const quantity = (text) => {
  const found = NUMBER.exec(text);
  return found ? Number(found[1].replaceAll(",", "")) * (SCALES[found[2]] ?? 1) : null;
};

const element = (tag, kind, text) => {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  if (text !== undefined) made.textContent = text;
  return made;
};

// What the page's template makes of a cell: text stays text.
const cell = ([text = "", detail, hint, anchor, bar], head) => {
  const made = element("td", head.kind);
  made.dataset.label = head.title;
  const shown = element("bdi", "", text);
  if (hint) shown.title = hint;
  if (anchor && document.getElementById(anchor)) {
    const link = element("a");
    link.href = `#${anchor}`;
    link.append(shown);
    made.append(link);
  } else made.append(shown);
  if (detail) {
    const more = element("span", "detail");
    more.append(element("bdi", "", detail));
    made.append(more);
  }
  if (typeof bar === "number") {
    const track = element("span", "bar");
    track.ariaHidden = "true";
    track.append(element("span"));
    track.firstChild.style.width = `${(bar * 100).toFixed(1)}%`;
    made.append(track);
  }
  return made;
};

class Grid {
  constructor(block) {
    this.block = block;
    this.body = block.querySelector("tbody");
    this.heads = [...block.querySelectorAll("thead th")].map((th) => ({
      th, kind: th.className, title: th.textContent,
    }));
    this.rows = [...this.body.rows].map((tr) => ({
      tr,
      texts: [...tr.cells].map((td) => td.querySelector("bdi").textContent),
      words: tr.textContent.toLowerCase(),
    }));
    this.limit = this.rows.length;
    const rest = block.querySelector("script.rest");
    for (const cells of rest ? JSON.parse(rest.textContent) : []) {
      this.rows.push({
        cells,
        texts: cells.map((each) => each[0] ?? ""),
        words: cells.map((each) => `${each[0] ?? ""} ${each[1] ?? ""}`).join(" ").toLowerCase(),
      });
    }
    this.order = this.rows;
    this.words = "";
    this.more = block.querySelector("button.more");
    this.more?.addEventListener("click", () => {
      const first = this.limit;
      this.limit += STEP;
      this.draw();
      this.body.rows[first]?.querySelector("a, td")?.focus();
    });
    if (this.more) this.more.hidden = false;
    block.querySelector(".only-plain")?.remove();
    if (this.rows.length >= SORTED_FROM && !("fixed" in block.dataset)) this.sortable();
    if (this.rows.length >= FILTERED_FROM) this.filterable();
    if (this.more) this.draw();
  }

  sortable() {
    this.heads.forEach((head, column) => {
      if (!head.title.trim()) return;
      const button = element("button", "sort", head.title);
      button.type = "button";
      head.th.replaceChildren(button);
      button.addEventListener("click", () => this.sort(column));
    });
  }

  sort(column) {
    const { th, kind } = this.heads[column];
    const first = kind === "number" ? "descending" : "ascending";
    const second = kind === "number" ? "ascending" : "descending";
    const way = { [first]: second, [second]: "none" }[th.ariaSort] ?? first;
    this.heads.forEach((head) => { head.th.removeAttribute("aria-sort"); });
    this.order = [...this.rows];
    if (way !== "none") {
      th.ariaSort = way;
      const sign = way === "ascending" ? 1 : -1;
      const key = (row) => (kind === "number" ? quantity(row.texts[column]) : row.texts[column]);
      const keyed = this.rows.map((row) => [key(row), row]);
      keyed.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        if (kind === "number") return sign * (a - b);
        return sign * a.localeCompare(b, "en", { numeric: true });
      });
      this.order = keyed.map(([, row]) => row);
    }
    this.draw();
  }

  filterable() {
    const label = element("label", "filter");
    const input = element("input");
    input.type = "search";
    input.placeholder = `filter ${this.rows.length} rows`;
    input.ariaLabel = "Show rows that contain";
    this.count = element("span", "count");
    this.count.setAttribute("role", "status");
    label.append(input, this.count);
    this.block.prepend(label);
    input.addEventListener("input", () => {
      this.words = input.value.trim().toLowerCase();
      this.draw();
    });
  }

  draw() {
    const found = this.order.filter((row) => row.words.includes(this.words));
    const shown = found.slice(0, this.limit);
    for (const row of shown) {
      row.tr ??= this.row(row.cells);
    }
    this.body.replaceChildren(...shown.map((row) => row.tr));
    const left = found.length - shown.length;
    if (this.more) {
      this.more.hidden = left === 0;
      this.more.textContent = left > STEP ? `Show ${STEP} of ${left} more` : `Show ${left} more`;
    }
    if (this.count) this.count.textContent = this.words ? `${found.length} found` : "";
  }

  row(cells) {
    const tr = element("tr");
    tr.append(...cells.map((each, index) => cell(each, this.heads[index])));
    return tr;
  }
}

document.querySelectorAll(".grid").forEach((block) => new Grid(block));
