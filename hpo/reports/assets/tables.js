"use strict";
// Elements, and tables that are searched, sorted and paged. Texts are set as text, never as HTML.
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

const text = (value) => value === null || value === undefined ? "" : String(value);
const shorter = (value) => typeof value === "number" ? Chart.number(value) : text(value);

function order(a, b) {
  const empty = (v) => v === null || v === undefined || v === "";
  if (empty(a) || empty(b)) return empty(a) - empty(b);
  return typeof a === "number" && typeof b === "number" ? a - b : text(a).localeCompare(text(b), undefined, { numeric: true });
}

// Says at which edges a part is cut; the style sheet lets it fade there. Returns what to call when its content has changed.
function showEdges(part) {
  const mark = () => {
    const hidden = part.scrollWidth - part.clientWidth, at = part.scrollLeft;
    part.dataset.more = [...(at > 1 ? ["left"] : []), ...(at < hidden - 1 ? ["right"] : [])].join(" ");
  };
  part.addEventListener("scroll", mark, { passive: true });
  const observer = new ResizeObserver(mark);
  for (const one of [part, ...part.children]) observer.observe(one);
  return mark;
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
  showEdges(scroll);
  const tools = make("div", { className: "tools" });
  tools.append(search, before, after, count);
  place.replaceChildren(...(table.rows.length > 12 ? [tools] : []), scroll);
  refresh();
}
