"use strict";
// A figure with its buttons: all of it, all values, and the numbers behind it.
const holder = (chart) => document.getElementById("figure-" + chart.name);

function addChart(chart, Kind = PointedChart) {
  const head = holder(chart).closest("figure").querySelector(".head");
  const all = make("button", { type: "button", textContent: "Show all", hidden: true });
  holder(chart).addEventListener("zoomed", (event) => { all.hidden = !event.detail; });
  const figure = new Kind(chart, holder(chart));
  all.addEventListener("click", () => figure.reset());
  head.append(make("span", {}, all, ...(chart.panels.some((panel) => panel.y.limits) ? [limitsButton(figure)] : []), numbersButton(figure)));
  return figure;
}

// Values far from all others: marked at the edge, or on the axis.
function limitsButton(figure) {
  const button = make("button", { type: "button", textContent: "All values", title: "Show values far from all others on the axis too, not at its edge" });
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => {
    const all = button.getAttribute("aria-pressed") === "false";
    button.setAttribute("aria-pressed", String(all));
    figure.showAll(all);
  });
  return button;
}

// The numbers behind a figure: for those who cannot see or point at it, and for spreadsheets.
function numbersOf(chart) {
  const rows = [];
  for (const panel of chart.panels) {
    for (const series of panel.series) {
      const names = ["x0", "x", "y", "low", "high", "bottom", "top"];
      series.x.forEach((x, i) => {
        if (x !== null) rows.push([panel.x.title || "", series.name || "", series.labels?.[i] ?? "", ...names.map((name) => series[name]?.[i] ?? null)]);
      });
    }
  }
  return rows;
}

function saveCsv(name, heads, rows) {
  const quoted = (field) => `"${text(field).replaceAll('"', '""')}"`;
  const lines = [heads, ...rows].map((row) => row.map(quoted).join(",")).join("\n");
  const link = make("a", { href: URL.createObjectURL(new Blob([lines], { type: "text/csv" })), download: name + ".csv" });
  link.click();
  URL.revokeObjectURL(link.href);
}

function numbersButton(drawn) {
  const button = make("button", { type: "button", textContent: "Numbers" });
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => {
    const chart = drawn.spec, figure = holder(chart).closest("figure"), open = figure.querySelector(".numbers");
    button.setAttribute("aria-expanded", String(!open));
    if (open) return open.remove();
    const rows = numbersOf(chart), heads = ["axis", "series", "label", "x from", "x", "y", "low", "high", "bottom", "top"];
    const used = heads.map((_, i) => rows.some((row) => row[i] !== null && row[i] !== "")), keep = (row) => row.filter((_, i) => used[i]);
    const save = make("button", { type: "button", textContent: "Save as CSV" });
    save.addEventListener("click", () => saveCsv(chart.name, keep(heads), rows.map(keep)));
    const name = "numbers-" + chart.name, table = make("div", { id: "table-" + name });
    figure.append(make("div", { className: "numbers" }, make("div", { className: "tools" }, save), table));
    const columns = keep(heads.map((head, i) => ({ name: head, number: i > 2 })));
    showTable({ name, title: chart.title, columns, page: 50, rows: rows.map(keep) });
  });
  return button;
}
