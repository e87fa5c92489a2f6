"use strict";
// Draws the charts in the page's own colours, again when those change. Everything else needs no script.
(() => {
  const ORDER = ["warm-up", "bare", "light", "deep", "after"];
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const axis = (given) => ({
    gridcolor: colour("--line"), linecolor: colour("--line"), zerolinecolor: colour("--line"),
    tickcolor: colour("--line"), automargin: true, ...given,
  });

  const draw = (block) => {
    const spec = JSON.parse(block.textContent);
    const target = document.getElementById(block.dataset.chart);
    target.classList.add("drawn");
    if (spec.layout.height) target.style.height = `${spec.layout.height}px`;
    for (const series of spec.data) {
      const named = series.marker?.color ?? "--c" + ORDER.indexOf(series.name);
      series.marker = { ...series.marker, color: colour(named) };
    }
    const numbered = Object.entries(spec.layout).filter(([name]) => /^[xy]axis\d+$/.test(name));
    const layout = {
      ...spec.layout,
      xaxis: axis(spec.layout.xaxis), yaxis: axis(spec.layout.yaxis),
      ...Object.fromEntries(numbered.map(([name, given]) => [name, axis(given)])),
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: colour("--soft"), size: 12, family: getComputedStyle(document.body).fontFamily },
      margin: { l: 60, r: 8, t: 8, b: 40 },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      hoverlabel: { bgcolor: colour("--sheet"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
    };
    return Plotly.react(target, spec.data, layout, { displayModeBar: false, responsive: true });
  };

  const blocks = document.querySelectorAll("script[data-chart]");
  const all = () => blocks.forEach(draw);
  all();
  for (const query of ["(prefers-color-scheme: dark)", "print"]) {
    matchMedia(query).addEventListener("change", all);
  }
})();
