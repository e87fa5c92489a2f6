// Charts are drawn when they come near the screen, in the page's own colours, and again when those
// change. plotly waits in the page compressed: it is unpacked and run when the first chart is wanted.
const NEAR = "600px";
const SETTLED_MS = 2500;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const unpack = async () => {
  const packed = atob(document.getElementById("plotly").textContent);
  const bytes = new Uint8Array(packed.length);
  for (let at = 0; at < packed.length; at += 1) bytes[at] = packed.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script"); // its hash is in the page's policy
  script.textContent = await new Response(stream).text();
  document.head.append(script);
};
let library;
const loaded = () => (library ??= unpack());

// Names of the page's colours in a figure as their present values.
const painted = (value, key) => {
  if (Array.isArray(value)) return value.map((each) => painted(each, key));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, painted(each, name)]));
  }
  return /color$/.test(key ?? "") && /^--/.test(value) ? colour(value) : value;
};

const axis = (given) => ({
  gridcolor: colour("--line"), linecolor: colour("--line"), zerolinecolor: colour("--line"),
  tickcolor: colour("--line"), automargin: true, ...given,
});

const layout = (given) => {
  const axes = Object.entries(given).filter(([name]) => /^[xy]axis\d*$/.test(name));
  return {
    ...given,
    xaxis: axis(), yaxis: axis(),
    ...Object.fromEntries(axes.map(([name, each]) => [name, axis(each)])),
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("--soft"), size: 12, family: getComputedStyle(document.body).fontFamily },
    margin: { l: 60, r: 8, t: 8, b: 40, ...given.margin },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", ...given.legend },
    hoverlabel: { bgcolor: colour("--sheet"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
    // A finger on a chart scrolls the page; a mouse zooms.
    dragmode: matchMedia("(pointer: fine)").matches ? "zoom" : false,
  };
};

const drawn = new Set();
const draw = (target) => {
  const { spec } = JSON.parse(document.querySelector(`script[data-chart="${target.id}"]`).textContent);
  const { data, layout: given } = painted(spec);
  drawn.add(target);
  return Plotly.react(target, data, layout(given), { displayModeBar: false, responsive: true });
};
const again = () => drawn.forEach(draw);

// Buttons that zoom along the horizontal axis, for those who do not drag.
const moves = {
  "−": (low, high) => [low - (high - low) / 2, high + (high - low) / 2],
  "+": (low, high) => [low + (high - low) / 4, high - (high - low) / 4],
  "←": (low, high) => [low - (high - low) / 4, high - (high - low) / 4],
  "→": (low, high) => [low + (high - low) / 4, high + (high - low) / 4],
};
const NAMES = { "−": "zoom out", "+": "zoom in", "←": "earlier", "→": "later" };
const zoomable = (target) => {
  const { ranges } = JSON.parse(document.querySelector(`script[data-chart="${target.id}"]`).textContent);
  const bar = target.parentElement.querySelector(".choices");
  if (!ranges.length || !bar.hidden) return;
  bar.hidden = false;
  const zoom = (range) => Plotly.relayout(target, { "xaxis.range": range });
  const button = (text, action, name) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    if (name) made.ariaLabel = name;
    made.addEventListener("click", action);
    bar.append(made);
  };
  ranges.forEach(([title, low, high]) => button(title, () => zoom([low, high])));
  for (const [sign, move] of Object.entries(moves)) {
    button(sign, () => zoom(move(...target.layout.xaxis.range)), NAMES[sign]);
  }
};

const charts = [...document.querySelectorAll(".chart")];
const watcher = new IntersectionObserver(async (entries) => {
  for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
    watcher.unobserve(target);
    await loaded();
    await draw(target);
    zoomable(target);
  }
}, { rootMargin: NEAR });
charts.forEach((chart) => watcher.observe(chart));

// Printing cannot wait for the library, so it is made ready once the reader has had a moment.
setTimeout(() => (window.requestIdleCallback ?? setTimeout)(loaded), SETTLED_MS);
addEventListener("beforeprint", () => { if (window.Plotly) charts.forEach(draw); });
for (const query of ["(prefers-color-scheme: dark)", "print"]) {
  matchMedia(query).addEventListener("change", again);
}
