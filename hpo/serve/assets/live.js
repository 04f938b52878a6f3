"use strict";
// What all pages share: asking the server, being told by it, and putting what it says into the page as text.
const byId = (id) => document.getElementById(id);
const href = (path) => base + path;

async function ask(path, as = "json") {
  const answer = await send(path);
  if (!answer.ok) throw await refusalOf(answer);
  return as === "json" ? answer.json() : answer.text();
}

function notice(words) {
  if (byId("notice").textContent !== words) byId("notice").textContent = words;
}

// All that can be chosen is in the address, so that it can be sent, and gone back to.
const choices = {
  get: (name) => new URLSearchParams(location.search).get(name) ?? "",
  set(changes, { replace = false } = {}) {
    const now = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes)) value ? now.set(name, value) : now.delete(name);
    const search = now.toString(), address = location.pathname + (search ? "?" + search : "") + location.hash;
    if (search === new URLSearchParams(location.search).toString()) return;
    history[replace ? "replaceState" : "pushState"](null, "", address);
  },
};

// ---------------------------------------------------------------- words and numbers

const brief = shorter;
const percent = (share) => Math.round(share * 100) + "%";
function clock(seconds) {
  if (seconds < 59.95) return seconds.toFixed(1) + " s";
  const whole = Math.floor(seconds + 0.05), two = (n) => String(n).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}
function ago(seconds) {
  if (seconds < 60) return Math.max(0, Math.round(seconds)) + " s";
  if (seconds < 5400) return Math.round(seconds / 60) + " min";
  return seconds < 129600 ? Math.round(seconds / 3600) + " h" : Math.round(seconds / 86400) + " days";
}

// ---------------------------------------------------------------- elements that are kept while their words change

const shownIn = new WeakMap();
// A cell's content: a text, a number, or {text, href, bar, dot, unit, under, spark, className}; under: for narrow pages.
function setCell(td, value) {
  const known = JSON.stringify(value);
  if (shownIn.get(td) === known) return;
  shownIn.set(td, known);
  const made = value !== null && typeof value === "object" ? value : { text: brief(value), className: typeof value === "number" ? "number" : "" };
  if (made.className !== undefined) td.className = made.className;
  if (made.spark) return td.replaceChildren(spark(made.spark));
  let link = td.querySelector("a");
  if (made.href && link) {
    link.textContent = made.text;
    link.href = made.href;
    if (made.under) td.querySelector(".under").textContent = made.under;
    return;
  }
  const words = made.href ? make("a", { href: made.href, textContent: made.text }) : document.createTextNode(made.text ?? "");
  const before = [];
  if (made.dot) {
    const dot = make("span", { className: "dot" });
    dot.style.background = Chart.colour(made.dot);
    before.push(dot);
  }
  if (made.bar !== undefined && made.bar !== null) {
    const inner = make("div"), outer = make("span", { className: "bar cellbar" }, inner);
    outer.setAttribute("aria-hidden", "true");
    inner.style.width = percent(made.bar);
    before.push(outer);
  }
  td.replaceChildren(...before, words, ...(made.unit ? [make("span", { className: "unit extra", textContent: " " + made.unit })] : []), ...(made.under ? [make("span", { className: "under", textContent: made.under })] : []));
}

// Rows with a key each are kept, so that focus and selection stay where they are.
function setRows(body, rows) {
  const old = new Map([...body.children].map((tr) => [tr.dataset.key, tr]));
  rows.forEach(({ key, cells, extra = [] }, at) => {
    const tr = old.get(String(key)) || make("tr");
    tr.dataset.key = key;
    old.delete(String(key));
    while (tr.children.length < cells.length) tr.append(make("td"));
    while (tr.children.length > cells.length) tr.lastChild.remove();
    cells.forEach((cell, i) => {
      setCell(tr.children[i], cell);
      tr.children[i].classList.toggle("extra", extra.includes(i));
    });
    if (body.children[at] !== tr) body.insertBefore(tr, body.children[at] || null);
  });
  for (const tr of old.values()) tr.remove();
}

function tableOf(title, heads, { extra = [], sortable = null } = {}) {
  const row = make("tr"), body = make("tbody");
  heads.forEach((head, i) => {
    const th = make("th", { scope: "col", className: (head.number ? "number" : "") + (extra.includes(i) ? " extra" : "") });
    if (sortable && head.key) {
      const button = make("button", { type: "button", textContent: head.name });
      button.addEventListener("click", () => sortable(head.key));
      th.append(button);
    } else th.append(head.name ?? head);
    row.append(th);
  });
  const scroll = make("div", { className: "scroll", tabIndex: 0 }, make("table", { className: "rows" }, make("thead", {}, row), body));
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", title);
  showEdges(scroll);
  return { scroll, body, heads: row };
}

// The column by which rows are sorted says so.
function markSorted(row, heads, key, down) {
  heads.forEach((head, i) => {
    if (!head.key) return;
    const direction = head.key === key ? (down ? "descending" : "ascending") : "none", button = row.children[i].querySelector("button");
    row.children[i].setAttribute("aria-sort", direction);
    const words = head.name + ({ ascending: " ▲", descending: " ▼" }[direction] || "");
    if (button.textContent !== words) button.textContent = words;
  });
}

function spark([times, values]) {
  const image = Chart.svg("svg", { class: "spark", width: 84, height: 22, viewBox: "0 0 84 22", "aria-hidden": "true" });
  if (times.length < 2) return image;
  const first = times[0], last = times.at(-1), soon = first + (last - first) / 20; // what it soon leaves is cut off, not all of its height
  const lasting = values.filter((_, i) => i + 1 === times.length || times[i + 1] > soon), low = Math.min(...lasting), high = Math.max(...lasting);
  const place = (v) => Math.min(Math.max((v - low) / (high - low || 1), 0), 1);
  const at = (t, v) => [2 + 80 * (t - first) / (last - first || 1), 20 - 18 * place(v)].map((p) => p.toFixed(1)).join();
  const points = times.flatMap((t, i) => i ? [at(t, values[i - 1]), at(t, values[i])] : [at(t, values[i])]);
  image.append(Chart.svg("polyline", { points: points.join(" ") }));
  return image;
}

function tilesOf(facts) {
  return make("dl", { className: "tiles" }, ...facts.map(([name, value, remark]) =>
    make("div", { className: "tile" }, make("dt", { textContent: name }), make("dd", {}, value, make("small", { textContent: remark || "" })))));
}

function setTiles(list, facts) {
  facts.forEach(([, value, remark], i) => {
    const dd = list.children[i].querySelector("dd"), small = dd.querySelector("small");
    if (dd.firstChild.nodeValue !== value) dd.firstChild.nodeValue = value;
    if (small.textContent !== (remark || "")) small.textContent = remark || "";
  });
}

const STATES = { running: "#B85C8F", waiting: "#767C86", reading: "#767C86", interrupted: "#3394D0", unreadable: "#D55E00", missing: "#D55E00", failed: "#D55E00", error: "#B07500", complete: "#008663" };
const STATE_ORDER = Object.keys(STATES);
const stateCell = (condition) => ({ text: condition, dot: STATES[condition] || "#767C86", className: "state" });

function heading(title, crumbs) {
  byId("title").textContent = title;
  document.title = title + " · hpo";
  byId("crumbs").replaceChildren(...crumbs.map(([words, path]) => make("a", { href: href(path), textContent: words })));
}

function showMissing() {
  heading("There is nothing here", [["All experiments", "/"]]);
  byId("subtitle").textContent = "";
  byId("content").replaceChildren(make("p", { textContent: "No experiment, trial or tag has this address. It may have been moved or deleted." }));
  root.dataset.ready ||= performance.now().toFixed(0);
}

function sectionOf(id, title, ...parts) {
  const section = make("section", { id }, make("h2", { textContent: title }), ...parts);
  return section;
}

// ---------------------------------------------------------------- being told

// One stream per page, closed while the page is hidden or paused, and opened again with the number of its last message.
class Live {
  constructor(path, handlers, cursor = "") {
    this.path = path;
    this.handlers = handlers;
    this.cursor = cursor;
    this.wait = 500;
    this.skew = 0;
    const pause = byId("pause");
    pause.hidden = false;
    this.paused = choices.get("paused") === "1";
    pause.addEventListener("click", () => {
      this.paused = !this.paused;
      choices.set({ paused: this.paused ? "1" : "" }, { replace: true });
      this.turn();
    });
    document.addEventListener("visibilitychange", () => this.turn());
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", () => this.turn());
    addEventListener("online", () => this.turn());
    setInterval(() => this.watch(), 1000);
    this.turn();
  }

  turn() {
    byId("pause").setAttribute("aria-pressed", String(this.paused));
    if (this.paused || document.hidden) {
      this.close();
      this.say(this.paused ? "paused" : "resting");
    } else if (!this.source) this.open();
  }

  say(state) {
    const box = byId("connection"), words = { live: "live", paused: "updates paused", disconnected: "disconnected, trying again", resting: "resting", connecting: "connecting", ended: "complete" }[state];
    if (box.dataset.state === state) return;
    box.dataset.state = state;
    box.textContent = words;
  }

  open() {
    clearTimeout(this.timer);
    this.heard = performance.now();
    if (byId("connection").dataset.state !== "disconnected") this.say("connecting");
    const source = follow(`${this.path}?after=${encodeURIComponent(this.cursor)}`, {
      opened: () => {
        if (this.source !== source) return;
        if (this.refused) notice("");
        this.refused = "";
        this.say("live");
      },
      message: ({ id, event, data: text }) => {
        if (this.source !== source) return;
        this.heard = performance.now();
        this.wait = 500;
        const data = JSON.parse(text);
        if (data.now) this.skew = data.now - Date.now() / 1000;
        if (id) this.cursor = id;
        this.handlers[event ?? "message"]?.(data);
      },
      lost: (error) => {
        if (this.source !== source) return;
        if (error.status === 404) return this.leave();
        if (error.status) notice(this.refused = error.message);
        this.lost();
      },
    });
    this.source = source;
  }

  restart(cursor) {
    this.cursor = cursor;
    this.close();
    this.turn();
  }

  lost() {
    this.close();
    if (this.paused || document.hidden) return;
    this.say("disconnected");
    this.timer = setTimeout(() => this.open(), this.wait);
    this.wait = Math.min(this.wait * 1.6, 5000);
  }

  // There is nothing at this address, and nothing to wait for.
  leave() {
    this.paused = true;
    this.turn();
    byId("pause").hidden = true;
    showMissing();
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  // A connection that says nothing any more, as after the machine has slept, is none.
  watch() {
    if (this.source && performance.now() - this.heard > 40000) this.lost();
    this.handlers.second?.();
  }

  // The server's clock.
  now() {
    return Date.now() / 1000 + this.skew;
  }
}

// ---------------------------------------------------------------- figures

function figureOf(content) {
  const head = make("div", { className: "head" }, make("h3", { textContent: content.title }));
  return make("figure", { className: content.wide ? "wide" : "" }, head);
}

function fillFigure(figure, content) {
  figure.querySelectorAll(".caption, .plot, .instead, .numbers").forEach((part) => part.remove());
  figure.querySelector(".head").querySelectorAll("span").forEach((part) => part.remove());
  if (content.panels.length) {
    const plot = make("div", { className: "plot", id: "figure-" + content.name });
    plot.style.minHeight = content.height + "px";
    figure.append(make("p", { className: "caption", textContent: content.caption }), plot);
  } else figure.append(make("p", { className: "instead", textContent: content.instead }));
}

// Figures by name; existing ones are drawn again with the new data.
class FigureGrid {
  constructor(place) {
    this.place = place;
    this.charts = new Map();
    this.elements = new Map();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.charts.forEach((chart) => chart.draw()));
  }

  // One figure at a time, so that the page can be used in between.
  async show(contents) {
    for (const content of contents) { // all have their places before the first is drawn
      const element = this.elements.get(content.name);
      if (content.needless) {
        element?.remove();
        this.elements.delete(content.name);
        this.charts.delete(content.name);
      } else if (!element) {
        this.elements.set(content.name, figureOf(content));
        this.place.append(this.elements.get(content.name));
      }
    }
    for (const [number, content] of contents.filter((one) => !one.needless).entries()) {
      if (number) await new Promise((done) => setTimeout(done));
      const chart = this.charts.get(content.name), element = this.elements.get(content.name);
      if (chart && content.panels.length) {
        element.querySelector(".caption").textContent = content.caption;
        chart.setSpec(content);
        continue;
      }
      fillFigure(element, content);
      this.charts.delete(content.name);
      if (content.panels.length) this.charts.set(content.name, addChart(content, LiveChart));
    }
  }
}
