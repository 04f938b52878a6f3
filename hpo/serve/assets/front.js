"use strict";
// All experiments: a row each, those at work first; searched, filtered and sorted here, for what is known is here.
whenOpen(() => {
  const MOST = 200;
  const HEADS = [
    { name: "experiment", key: "name" }, { name: "tag", key: "tag" }, { name: "state", key: "state" }, { name: "best", key: "best", number: true },
    { name: "done", key: "done" }, { name: "left", key: "left", number: true }, { name: "workers busy", key: "workers", number: true },
    { name: "trials", key: "trials", number: true }, { name: "time", key: "time", number: true }, { name: "best so far" },
  ];
  const EXTRA = [1, 5, 6, 7, 8, 9];
  const known = new Map();
  let total = 0, more = MOST;

  heading("Experiments", []);
  const search = make("input", { type: "search", placeholder: "Search, for example: asha digits", ariaLabel: "Search experiments" });
  const filters = make("div", { className: "filters" });
  filters.setAttribute("role", "group");
  filters.setAttribute("aria-label", "Only in these states");
  const count = make("span", { className: "soft" });
  count.setAttribute("role", "status");
  const table = tableOf("Experiments", HEADS, { extra: EXTRA, sortable: sortBy });
  table.scroll.classList.add("short");
  const further = make("button", { type: "button", textContent: "Show more", hidden: true });
  further.addEventListener("click", () => { more += MOST; refresh(); });
  byId("content").append(make("div", { className: "tools" }, search, filters, count), table.scroll, make("p", {}, further));

  const buttons = new Map(STATE_ORDER.map((state) => {
    const button = make("button", { type: "button", hidden: true });
    button.addEventListener("click", () => {
      const chosen = wanted();
      if (!chosen.delete(state)) chosen.add(state);
      choices.set({ state: [...chosen].join(",") });
      refresh();
    });
    filters.append(button);
    return [state, button];
  }));
  const wanted = () => new Set(choices.get("state").split(",").filter((state) => STATE_ORDER.includes(state)));

  function sortBy(key) {
    const same = choices.get("sort") === key, down = choices.get("down") === "1";
    const first = ["done", "time", "trials", "workers"].includes(key);
    choices.set({ sort: same && down !== first ? "" : key, down: (same ? !down : first) && !(same && down !== first) ? "1" : "" });
    refresh();
  }

  search.value = choices.get("q");
  search.addEventListener("input", () => {
    choices.set({ q: search.value }, { replace: true });
    more = MOST;
    refresh();
  });
  addEventListener("popstate", () => {
    search.value = choices.get("q");
    refresh();
  });

  const nameOf = ({ row }) => `${row.benchmark} · ${row.method}` + (row.seed === null ? "" : ` · seed ${row.seed}`);
  const elapsed = (row) => row.elapsed === undefined ? null : row.elapsed + (row.ticking ? Math.max(0, live.now() - row.at) : 0);
  const VALUES = {
    name: (one) => nameOf(one), tag: (one) => one.folder, state: ({ row }) => STATE_ORDER.indexOf(row.condition), best: ({ row }) => row.best?.value,
    done: ({ row }) => row.progress?.share, left: ({ row }) => row.condition === "running" ? row.progress?.left : null, workers: ({ row }) => row.running,
    trials: ({ row }) => row.trials, time: ({ row }) => elapsed(row),
  };

  function ordered(rows) {
    const value = VALUES[choices.get("sort")], sign = choices.get("down") === "1" ? -1 : 1;
    const usual = (a, b) => STATE_ORDER.indexOf(a.row.condition) - STATE_ORDER.indexOf(b.row.condition) || (b.row.told || 0) - (a.row.told || 0) || nameOf(a).localeCompare(nameOf(b), undefined, { numeric: true });
    if (!value) return rows.sort(usual);
    const missing = (v) => v === null || v === undefined;
    return rows.map((one) => [value(one), one]).sort(([a, p], [b, q]) => (missing(a) - missing(b)) || (missing(a) ? 0 : sign * order(a, b)) || usual(p, q)).map(([, one]) => one);
  }

  function refresh() {
    const counts = Object.fromEntries(STATE_ORDER.map((state) => [state, 0]));
    for (const { row } of known.values()) counts[row.condition] = (counts[row.condition] || 0) + 1;
    const chosen = wanted();
    for (const [state, button] of buttons) {
      button.hidden = !counts[state] && !chosen.has(state);
      const words = `${state} ${counts[state]}`;
      if (button.textContent !== words) button.textContent = words;
      button.setAttribute("aria-pressed", String(chosen.has(state)));
    }
    const words = choices.get("q").toLowerCase().split(/\s+/).filter(Boolean);
    const found = [...known.values()].filter((one) => (!chosen.size || chosen.has(one.row.condition)) &&
      words.every((word) => `${nameOf(one)} ${one.folder} ${one.row.condition}`.toLowerCase().includes(word)));
    const rows = ordered(found), shown = rows.slice(0, more);
    setRows(table.body, shown.map((one) => ({ key: one.id, cells: cellsOf(one), extra: EXTRA })));
    further.hidden = rows.length <= shown.length;
    const text = known.size < total ? `${known.size} of ${total} experiments` : rows.length === known.size ? `${known.size} experiments` : `${rows.length} of ${known.size} experiments`;
    if (count.textContent !== text) count.textContent = text;
    markSorted(table.heads, HEADS, choices.get("sort"), choices.get("down") === "1");
  }

  function cellsOf(one) {
    const { row } = one, running = row.condition === "running", done = row.progress;
    const name = { text: nameOf(one), href: href("/e/" + one.id), className: "name", under: one.folder };
    const tag = { text: one.folder, href: href("/t/" + one.group), className: "name" };
    if (row.elapsed === undefined) return [name, tag, stateCell(row.condition), { text: row.detail || "reading …", className: row.detail ? "long" : "soft number" }, "", "", "", "", "", ""];
    return [
      name, tag, stateCell(row.condition), row.best ? { text: brief(row.best.value), unit: row.metric, className: "number" } : "",
      done ? { text: percent(done.share), bar: done.share, className: "state" } : "",
      { text: running && done && done.left !== null ? clock(done.left) : "", className: "number" },
      { text: running ? `${row.running} of ${row.n_workers ?? "?"}` : "", className: "number" },
      row.trials, { text: clock(elapsed(row)), className: "number" }, { spark: row.spark, className: "" },
    ];
  }

  let due = 0;
  const soon = () => { due ||= requestAnimationFrame(() => { due = 0; refresh(); }); };
  const take = (data) => {
    total = data.total;
    for (const one of data.rows) {
      // What its metadata say of its state is shown until its log is read.
      if (one.row.condition === "reading" && ["complete", "failed", "interrupted", "error"].includes(one.row.noted)) one.row.condition = one.row.noted;
      known.set(one.id, one);
    }
    root.dataset.ready ||= performance.now().toFixed(0);
    soon();
  };
  let ticks = 0;
  const live = new Live("/stream", {
    message: take,
    second() {
      ticks += 1;
      if (ticks % 5 === 0 && !live.paused && [...known.values()].some(({ row }) => row.ticking)) soon(); // clocks go on
    },
  });
});
