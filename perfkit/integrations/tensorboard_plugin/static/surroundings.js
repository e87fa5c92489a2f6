// What the tab takes from the TensorBoard around it: which run its address names, its dark mode, its
// font. The frame is of the same origin; opened by itself, outside TensorBoard, it does without.
const PLUGIN = "perfkit";
const RUN = `p.${PLUGIN}.run`;
const PLACE = `p.${PLUGIN}.at`;

const outside = () => (window.parent === window ? null : window.parent);

const words = () => {
  const hash = (outside() ?? window).location.hash.slice(1);
  return hash.split("&").map((word) => {
    const at = word.indexOf("=");
    return at < 0 ? [word, null] : [word.slice(0, at), word.slice(at + 1)];
  });
};

const decoded = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return ""; // cut in the middle of an escape
  }
};

// {run, at} of an address such as #perfkit&p.perfkit.run=ctr&p.perfkit.at=finding-1; null where absent.
export const named = () => {
  const found = new Map(words());
  const value = (key) => (found.get(key) ? decoded(found.get(key)) : null);
  return { run: value(RUN), at: value(PLACE) };
};

// Whether TensorBoard may show this tab: its address names no other one.
export const inFront = () => !outside() || ["", PLUGIN].includes(words()[0][0]);

// The address from now on names this run, without a step in the history.
export const name = (run) => {
  const place = outside() ?? window;
  const kept = words().filter(([key]) => key !== RUN && key !== PLACE);
  if (outside() && kept[0]?.[0] !== PLUGIN) return; // another tab is in front, or none is named
  const text = kept.filter(([key]) => key).map(([key, value]) => (value === null ? key : `${key}=${value}`));
  const hash = [...text, `${RUN}=${encodeURIComponent(run)}`].join("&");
  place.history.replaceState(place.history.state, "", `#${hash}`);
};

export const onNamed = (listener) => (outside() ?? window).addEventListener("hashchange", listener);

// Calls `act` as soon as the tab has a size: TensorBoard keeps the tabs behind at none, and what is laid
// out there finds no place to scroll to.
export const whenSeen = (act) => {
  const frame = window.frameElement;
  if (window.innerWidth && (!frame || frame.getClientRects().length)) act();
  else addEventListener("resize", () => whenSeen(act), { once: true });
};

// A link to another tab of this TensorBoard.
export const tab = (id) => {
  const { pathname, search } = (outside() ?? window).location;
  return `${pathname}${search}#${id}`;
};

const darkOutside = () => {
  const place = outside();
  return place ? place.document.body.classList.contains("dark-mode") : matchMedia("(prefers-color-scheme: dark)").matches;
};

// Calls `listener(dark)` now and at every change.
export const followTheme = (listener) => {
  const tell = () => listener(darkOutside());
  const place = outside();
  if (place) {
    const watch = new place.MutationObserver(tell);
    watch.observe(place.document.body, { attributes: true, attributeFilter: ["class"] });
  }
  tell();
};

// TensorBoard carries Roboto in its own page: the same faces again here.
export const borrowFont = () => {
  const place = outside();
  for (const sheet of place ? place.document.styleSheets : []) {
    for (const rule of sheet.cssRules) {
      if (rule instanceof place.CSSFontFaceRule && /^["']?Roboto["']?$/.test(rule.style.getPropertyValue("font-family"))) {
        const base = sheet.href ?? place.document.baseURI;
        const source = rule.style.getPropertyValue("src").replace(/url\("?([^")]+)"?\)/g, (_, url) => `url("${new URL(url, base).href}")`);
        const descriptors = { weight: rule.style.getPropertyValue("font-weight"), style: rule.style.getPropertyValue("font-style"), unicodeRange: rule.style.getPropertyValue("unicode-range") || "U+0-10FFFF" };
        document.fonts.add(new FontFace("Roboto", source, descriptors));
      }
    }
  }
};
