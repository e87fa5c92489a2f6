// Small charts of one number over the runs of one program, oldest first. Drawn as SVG with text set as
// text: names come from folders.
const WIDTH = 264;
const HEIGHT = 96;
const LEFT = 6;
const TOP = 18;
const BOTTOM = 8;
const SPACE = "http://www.w3.org/2000/svg";

const node = (kind, attributes, text) => {
  const made = document.createElementNS(SPACE, kind);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
};

// Args: points [{run, label, value or null}], `chosen` a run's name, `pick` what a click on one does.
export const chart = (title, points, words, chosen, pick) => {
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  const now = points.find((point) => point.run === chosen);
  const value = document.createElement("b");
  value.textContent = now && now.value !== null ? words(now.value) : "not observed";
  caption.append(title, value);
  figure.append(caption);
  if (points.length < 2) return figure; // one point is no line
  const seen = points.filter((point) => point.value !== null);
  const most = Math.max(...seen.map((point) => point.value), 0);
  const told = seen.map((point) => `${point.label}: ${words(point.value)}`).join("; ");
  const picture = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}. ${told || "not observed"}` });
  const x = (index) => LEFT + (index / (points.length - 1)) * (WIDTH - 2 * LEFT);
  const y = (value) => HEIGHT - BOTTOM - (most ? value / most : 0) * (HEIGHT - TOP - BOTTOM);
  picture.append(node("line", { x1: 0, x2: WIDTH, y1: y(0), y2: y(0), class: "axis" }));
  picture.append(node("text", { x: 0, y: 11 }, seen.length ? `most ${words(most)}` : ""));
  const line = points.map((point, index) => [point, index]).filter(([point]) => point.value !== null);
  picture.append(node("polyline", { points: line.map(([point, index]) => `${x(index)},${y(point.value)}`).join(" "), class: "line" }));
  for (const [point, index] of line) {
    const dot = node("circle", { cx: x(index), cy: y(point.value), r: point.run === chosen ? 5 : 3.5, class: point.run === chosen ? "dot chosen" : "dot" });
    dot.append(node("title", {}, `${point.label}: ${words(point.value)}`));
    dot.addEventListener("click", () => pick(point.run));
    picture.append(dot);
  }
  figure.append(picture);
  return figure;
};
