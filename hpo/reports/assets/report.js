"use strict";
// Puts the figures and the tables of the report in their places, from the JSON in the page. All text from it is set as text, never as HTML.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const charts = read("charts"), tables = read("tables");
  const root = document.documentElement;
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  const drawn = () => charts.filter((chart) => chart.panels.length);
  const holder = (chart) => document.getElementById("figure-" + chart.name);

  function addChart(chart) {
    const head = holder(chart).closest("figure").querySelector(".head");
    const all = make("button", { type: "button", textContent: "Show all", hidden: true });
    holder(chart).addEventListener("zoomed", (event) => { all.hidden = !event.detail; });
    const figure = new PointedChart(chart, holder(chart));
    all.addEventListener("click", () => figure.reset());
    head.append(make("span", {}, all, ...(chart.panels.some((panel) => panel.y.limits) ? [limitsButton(figure)] : []), numbersButton(chart)));
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

  const text = (value) => value === null || value === undefined ? "" : String(value);
  const shorter = (value) => typeof value === "number" && !Number.isInteger(value) ? String(+value.toPrecision(6)) : text(value);

  function order(a, b) {
    const empty = (v) => v === null || v === undefined || v === "";
    if (empty(a) || empty(b)) return empty(a) - empty(b);
    return typeof a === "number" && typeof b === "number" ? a - b : text(a).localeCompare(text(b), undefined, { numeric: true });
  }

  function cell(value, column, table, row) {
    const td = make("td", { className: column.links ? "links" : column.number ? "number" : text(value).length > 32 ? "long" : "" });
    if (column.links) {
      for (const [label, target] of value || []) td.append(make("a", { href: target, textContent: label }), " ");
    } else {
      const dot = column.dots && column.dots[value];
      if (dot) {
        const mark = make("span", { className: "dot" });
        mark.style.background = Chart.colour(dot);
        td.append(mark);
      }
      td.append(shorter(value));
      if (typeof value === "number") td.title = String(value);
    }
    return td;
  }

  // A table that is searched, sorted and paged; its headers are buttons.
  function showTable(table) {
    const place = document.getElementById("table-" + table.name);
    const state = { sort: table.sort ?? null, down: table.down ?? false, page: 0, words: [] };
    const haystack = table.rows.map((row) => row.map((v) => Array.isArray(v) ? "" : text(v)).join(" ").toLowerCase());
    const search = make("input", { type: "search", placeholder: "Search, for example: paused relu", ariaLabel: "Search " + table.title });
    const count = make("span", { className: "soft" });
    count.setAttribute("role", "status");
    const before = make("button", { type: "button", textContent: "Previous" });
    const after = make("button", { type: "button", textContent: "Next" });
    const body = make("tbody"), heads = [];
    const headRow = make("tr");
    table.columns.forEach((column, index) => {
      const th = make("th", { scope: "col", className: column.number ? "number" : "" });
      if (column.links) th.append(column.name);
      else {
        const button = make("button", { type: "button", textContent: column.name, title: column.help || "Sort by " + column.name });
        button.addEventListener("click", () => {
          state.down = state.sort === index ? !state.down : false;
          state.sort = index;
          state.page = 0;
          refresh();
        });
        th.append(button);
      }
      heads.push(th);
      headRow.append(th);
    });

    function refresh() {
      let found = table.rows.map((_, i) => i).filter((i) => state.words.every((word) => haystack[i].includes(word)));
      if (state.sort !== null) {
        const at = state.sort, sign = state.down ? -1 : 1;
        const empty = (i) => table.rows[i][at] === null || table.rows[i][at] === undefined;
        found.sort((a, b) => (empty(a) - empty(b)) || sign * order(table.rows[a][at], table.rows[b][at]) || a - b);
      }
      const pages = Math.max(1, Math.ceil(found.length / table.page));
      state.page = Math.min(state.page, pages - 1);
      const from = state.page * table.page, part = found.slice(from, from + table.page);
      body.replaceChildren(...part.map((i) =>
        make("tr", {}, ...table.columns.map((column, j) => cell(table.rows[i][j], column, table, i)))));
      count.textContent = found.length ? `${from + 1}–${from + part.length} of ${found.length}` : "nothing found";
      before.disabled = state.page === 0;
      after.disabled = state.page >= pages - 1;
      heads.forEach((th, index) => {
        const direction = index === state.sort ? (state.down ? "descending" : "ascending") : "none";
        if (!table.columns[index].links) th.setAttribute("aria-sort", direction);
        const button = th.querySelector("button");
        if (button) button.textContent = table.columns[index].name + ({ ascending: " ▲", descending: " ▼" }[direction] || "");
      });
    }
    search.addEventListener("input", () => {
      state.words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      state.page = 0;
      refresh();
    });
    before.addEventListener("click", () => { state.page -= 1; refresh(); });
    after.addEventListener("click", () => { state.page += 1; refresh(); });
    const scroll = make("div", { className: "scroll", tabIndex: 0 }, make("table", {}, make("thead", {}, headRow), body));
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", table.title);
    const tools = make("div", { className: "tools" });
    tools.append(search, before, after, count);
    place.replaceChildren(...(table.rows.length > 12 ? [tools] : []), scroll);
    refresh();
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

  function numbersButton(chart) {
    const button = make("button", { type: "button", textContent: "Numbers" });
    button.setAttribute("aria-expanded", "false");
    button.addEventListener("click", () => {
      const figure = holder(chart).closest("figure"), open = figure.querySelector(".numbers");
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

  document.getElementById("theme").addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; });
  drawn().forEach(addChart);
  tables.forEach(showTable);
  root.dataset.ready = performance.now().toFixed(0);
})();
