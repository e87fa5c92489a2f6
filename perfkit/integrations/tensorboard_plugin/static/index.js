// The tab "perfkit": runs at the left, the chosen one's report at the right. Everything comes from
// TensorBoard itself; names and sentences of runs are only ever set as text.
import { chart } from "./charts.js";
import { borrowFont, followTheme, inFront, name, named, onNamed, tab, whenSeen } from "./surroundings.js";

const FAR_NS = 1e9;

const element = (kind, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(kind), properties);
  made.append(...children);
  return made;
};

const time = (ns) => {
  const [value, unit] = ns >= FAR_NS ? [ns / 1e9, "s"] : ns >= 1e6 ? [ns / 1e6, "ms"] : [ns / 1e3, "µs"];
  return `${Number(value.toPrecision(3))} ${unit}`;
};
const count = (value) => Number(value.toPrecision(4)).toLocaleString("en");
const date = (seconds) => (seconds ? new Date(seconds * 1000).toLocaleString() : "date unknown");

const state = { runs: [], leftOut: 0, chosen: null, shown: null, dark: false };
const parts = {};

const build = () => {
  parts.filter = element("input", { type: "search", placeholder: "Filter runs", ariaLabel: "Filter runs" });
  parts.list = element("ul", {});
  parts.note = element("p", { className: "note" });
  parts.history = element("div", { className: "history" });
  parts.count = element("span");
  parts.runs = element("details", { open: true }, element("summary", {}, parts.count), parts.filter, parts.list, parts.note);
  parts.side = element("nav", { ariaLabel: "Runs" }, parts.runs, parts.history);
  parts.head = element("header");
  parts.body = element("section", { ariaLabel: "Report" });
  parts.filter.addEventListener("input", list);
  document.body.append(element("div", { className: "tab" }, parts.side, element("main", {}, parts.head, parts.body)));
};

const line = (run) => {
  if (run.problem) return "cannot be shown";
  const told = [run.step_ns === null ? "no step measured" : `${time(run.step_ns)} a step`];
  if (run.waits !== null) told.push(`${count(run.waits)} waits`);
  if (run.copies) told.push(`${count(run.copies)} copies`);
  return told.join(" · ");
};

const list = () => {
  const wanted = parts.filter.value.toLowerCase();
  const shown = state.runs.filter((run) => `${run.name} ${run.program ?? ""} ${run.title}`.toLowerCase().includes(wanted));
  parts.count.textContent = `Runs (${state.runs.length})`;
  parts.list.replaceChildren(...shown.toReversed().map((run) => {
    const title = element("bdi", { className: "name" }, run.title);
    const button = element("button", { type: "button", title: `${run.name}\n${date(run.when)}` }, title, element("span", { className: run.problem ? "detail bad" : "detail" }, line(run)));
    if (run.name === state.chosen) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => choose(run.name, null, true));
    return element("li", {}, button);
  }));
  const left = state.leftOut ? `${state.leftOut} older runs are not listed. ` : "";
  parts.note.textContent = left + (shown.length || !state.runs.length ? "" : "No run has this in its name.");
};

const history = (run) => {
  parts.history.replaceChildren();
  if (!run || run.problem) return;
  const alike = state.runs.filter((each) => !each.problem && each.program === run.program && each.device === run.device);
  const over = (key) => alike.map((each) => ({ run: each.name, label: each.title, value: each[key] }));
  const pick = (chosen) => choose(chosen, null, true);
  const runs = alike.length === 1 ? "the only run of " : `${alike.length} runs of `;
  parts.history.append(
    element("h2", {}, "Over the runs"),
    element("p", { className: "note" }, runs, element("bdi", {}, run.program), alike.length === 1 ? " so far" : ", oldest first"),
    chart("Step time", over("step_ns"), time, run.name, pick),
    chart("Sync points per step", over("waits"), count, run.name, pick),
    chart("Blocking copies per step", over("copies"), count, run.name, pick),
  );
};

const address = (run) => `./report?run=${encodeURIComponent(run.name)}`;

const head = (run) => {
  const links = element("span", { className: "links" });
  if (!run.problem) {
    links.append(element("a", { href: tab("timeseries"), target: "_top", title: "Step by step: tags perfkit/… in TensorBoard's own tab" }, "Time series"));
    links.append(element("a", { href: address(run), target: "_blank", rel: "noopener" }, "Report alone"));
  }
  if (run.trace) {
    const hint = `Tab PYTORCH_PROFILER: choose the run “${run.title}”, then the view Trace. Its pages load scripts from www.gstatic.com and cdnjs.cloudflare.com: without a network they stay empty.`;
    links.append(element("a", { href: tab("pytorch_profiler"), target: "_top", title: hint }, "Trace view"));
    links.append(element("span", { className: "hint", title: hint }, "needs a network"));
  }
  parts.head.replaceChildren(element("h1", {}, element("bdi", {}, run.title)), element("span", { className: "detail" }, [run.device, date(run.when)].filter(Boolean).join(" · ")), links);
};

const frame = (run, at) => {
  const anchor = at ? `#${encodeURIComponent(at)}` : "";
  // An origin of its own: a report can run its scripts, and reach nothing of TensorBoard's.
  const source = `${address(run)}&theme=${state.dark ? "dark" : "light"}${anchor}`;
  const made = element("iframe", { title: `Report of ${run.title}` });
  made.setAttribute("sandbox", "allow-scripts allow-modals");
  made.src = source;
  return made;
};

const show = (run, at) => {
  state.shown = run; // from here on only this one may fill the frame
  head(run);
  if (run.problem) {
    parts.body.replaceChildren(element("p", { className: "problem", role: "alert" }, run.problem));
  } else {
    parts.body.replaceChildren();
    whenSeen(() => { if (state.shown === run && !parts.body.firstChild) parts.body.append(frame(run, at)); });
  }
};

const choose = (wanted, at, told) => {
  const run = state.runs.find((each) => each.name === wanted);
  if (!run) return false;
  state.chosen = run.name;
  if (told) name(run.name);
  list();
  history(run);
  show(run, at);
  return true;
};

const nothing = (text) => {
  state.shown = null;
  parts.head.replaceChildren();
  parts.body.replaceChildren(element("p", { className: "problem", role: "status" }, text));
};

// The run that the address names, else the one in front, else the newest that opens.
const settle = () => {
  if (!inFront()) return;
  const { run, at } = named();
  if (run === null && state.chosen !== null) return name(state.chosen);
  if (run !== null && run === state.chosen && at === null) return;
  if (run !== null && choose(run, at, false)) return;
  if (run !== null) {
    state.chosen = null;
    list();
    history(null);
    nothing(`There is no run “${run}” in this log directory. Choose one of the list.`);
  } else if (state.runs.length) {
    const newest = state.runs.findLast((each) => !each.problem) ?? state.runs.at(-1);
    choose(newest.name, null, true);
  } else {
    nothing("There is no run in this log directory. To record one: perfkit profile SCRIPT");
  }
};

const load = async () => {
  try {
    const reply = await fetch("./runs");
    if (!reply.ok) throw new Error(`TensorBoard answered ${reply.status}`);
    const { runs, left_out: leftOut } = await reply.json();
    Object.assign(state, { runs, leftOut });
  } catch (error) {
    nothing(`The list of runs did not load: ${error.message}`);
    return;
  }
  const known = state.chosen && state.runs.find((run) => run.name === state.chosen);
  if (!known) return settle();
  list();
  history(known);
  if (JSON.stringify(known) !== JSON.stringify(state.shown)) show(known, null);
};

export const render = async () => {
  document.documentElement.lang = "en";
  document.head.append(element("meta", { name: "viewport", content: "width=device-width, initial-scale=1" }));
  const style = element("link", { rel: "stylesheet", href: "./index.css" });
  const styled = new Promise((done) => { style.onload = style.onerror = done; });
  document.head.append(style);
  borrowFont();
  await styled;
  build();
  if (matchMedia("(max-width: 760px)").matches) parts.runs.open = false;
  followTheme((dark) => {
    state.dark = dark;
    document.documentElement.classList.toggle("dark", dark);
    if (state.shown) show(state.shown, null);
  });
  onNamed(settle);
  addEventListener("focus", load); // new runs show when somebody comes back
  await load();
};
