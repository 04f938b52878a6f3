"use strict";
// A tag: its experiments now, and its methods over seeds where they can be compared.
whenOpen(() => {
  const id = location.pathname.slice(base.length).split("/")[2];
  const HEADS = [{ name: "benchmark", key: "benchmark" }, { name: "method", key: "method" }, { name: "seed", key: "seed", number: true }, { name: "state", key: "condition" }, { name: "best", key: "best", number: true }, { name: "done", key: "done" }, { name: "trials", key: "trials", number: true }, { name: "best so far" }];
  const EXTRA = [0, 6, 7], rows = new Map(), grid = new FigureGrid(make("div", { className: "figures" }));
  let asked = 0, wait = 0, changed = true, asking = false, first = true;

  heading("Tag", [["All experiments", "/"]]);
  const verdict = make("div", { className: "verdict", hidden: true }), remarks = make("div"), tables = make("div", { className: "stack" }), as = make("p", { className: "soft", textContent: "The comparison is being made …" });
  const sortBy = (key) => { choices.set({ sort: key, down: choices.get("sort") === key && choices.get("down") !== "1" ? "1" : "" }); show(); };
  const members = tableOf("Experiments", HEADS, { extra: EXTRA, sortable: sortBy });
  const tiles = tilesOf([["experiments", "", ""], ["methods", "", ""], ["seeds", "", ""], ["running", "", ""], ["trials", "", ""]]);
  byId("content").append(tiles, verdict, remarks, sectionOf("experiments", "Experiments", members.scroll), sectionOf("methods", "Methods", as, grid.place, tables));

  const VALUES = { benchmark: (r) => r.benchmark, method: (r) => r.method, seed: (r) => r.seed, condition: (r) => STATE_ORDER.indexOf(r.condition), best: (r) => r.best?.value, done: (r) => r.progress?.share, trials: (r) => r.trials };
  function show() {
    const value = VALUES[choices.get("sort")], sign = choices.get("down") === "1" ? -1 : 1;
    const usual = (a, b) => ["benchmark", "method", "seed"].map((key) => order(a.row[key], b.row[key])).find(Boolean) || 0;
    const sorted = [...rows.values()].sort((a, b) => {
      if (!value) return usual(a, b);
      const [v, w] = [value(a.row), value(b.row)], none = (u) => u === null || u === undefined;
      return (none(v) - none(w)) || (none(v) ? 0 : sign * order(v, w)) || usual(a, b);
    });
    setRows(members.body, sorted.map(({ id: key, row }) => ({ key, extra: EXTRA, cells: [
      row.benchmark, { text: row.method, href: href("/e/" + key), className: "name" }, { text: row.seed === null ? "" : String(row.seed), className: "number" }, stateCell(row.condition), { text: row.best ? brief(row.best.value) : "", className: "number" },
      row.progress ? { text: percent(row.progress.share), bar: row.progress.share, className: "state" } : "", row.trials ?? "", row.spark ? { spark: row.spark, className: "" } : "",
    ] })));
    markSorted(members.heads, HEADS, choices.get("sort"), choices.get("down") === "1");
    const all = sorted.map(({ row }) => row), distinct = (key) => String(new Set(all.map((row) => row[key])).size);
    setTiles(tiles, [
      [0, String(all.length), `${all.filter((row) => row.condition === "complete").length} complete`], [0, distinct("method"), ""], [0, distinct("seed"), ""],
      [0, String(all.filter((row) => row.condition === "running").length), ""], [0, all.reduce((sum, row) => sum + (row.trials || 0), 0).toLocaleString("en"), ""],
    ]);
  }

  async function compare() {
    if (asking) return;
    asking = true;
    changed = false;
    try {
      const found = await ask("/t/" + id);
      wait = found.wait;
      as.textContent = found.sentence;
      as.hidden = !found.sentence;
      verdict.hidden = !found.verdict.length;
      verdict.replaceChildren(...found.verdict.map((sentence, i) => make("p", {}, i ? sentence : make("strong", { textContent: "Verdict, " + sentence }))));
      remarks.replaceChildren(...found.warnings.map((words) => make("p", { className: "warn", textContent: `Note: ${words}.` })));
      await grid.show(found.parts.filter((part) => part.chart).map((part) => part.chart));
      const shown = found.parts.filter((part) => part.table && part.table.rows.length).map((part) => part.table);
      tables.replaceChildren(...shown.flatMap((table) => [make("h3", { textContent: table.title }), make("div", { id: "table-" + table.name })]));
      shown.forEach(showTable);
    } catch (error) { notice(error.message); }
    asked = performance.now();
    asking = false;
    root.dataset.ready ||= performance.now().toFixed(0);
  }

  addEventListener("popstate", show);
  const live = new Live("/stream", {
    message(data) {
      const mine = data.rows.filter((one) => one.group === id);
      for (const one of mine) rows.set(one.id, one);
      if (!mine.length) {
        if (!rows.size) ask("/t/" + id).catch((error) => error.status === 404 && live.leave());
        return;
      }
      if (mine[0].folder !== byId("title").textContent) heading(mine[0].folder, [["All experiments", "/"]]);
      changed = true;
      show();
      if (first && ![...rows.values()].some(({ row }) => row.condition === "reading")) {
        first = false;
        compare();
      }
    },
    second() { if (!first && changed && !live.paused && !document.hidden && performance.now() - asked > wait * 1000) compare(); },
  });
});
