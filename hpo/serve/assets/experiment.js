"use strict";
// One experiment: what it does now, its figures, its trials.
whenOpen(() => {
  const id = location.pathname.slice(base.length).split("/")[2], path = "/e/" + id;
  const trialHref = (number) => href(`${path}/t/${number}`);
  let board = null, figures = null, asked = 0, asking = false, sequence = -1, since = null; // the event after which reports are known
  let fresh = { n: [], trial: [], x: [], y: [], t: [], ok: [] };

  heading("Experiment", [["All experiments", "/"]]);
  const tiles = tilesOf([["best", "", ""], ["trials", "", ""], ["reports", "", ""], ["elapsed time", "", ""], ["workers", "", ""]]);
  const bar = make("div", { className: "bar" }, make("div")), done = make("span"), budget = make("div", { className: "budget", hidden: true }, bar, done);
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-label", "Share of the budget that is used");
  const configuration = make("p", { className: "full" }), steered = make("p", { className: "full", id: "steered", hidden: true });
  const WORKERS = [{ name: "worker" }, { name: "GPU" }, { name: "busy", number: true }, { name: "trial" }, { name: "resource", number: true }, { name: "metric", number: true }, { name: "for", number: true }, { name: "configuration" }];
  const workers = tableOf("Workers now", WORKERS, { extra: [1, 2, 7] });
  const RUNGS = [{ name: "rung", number: true }, { name: "on the way", number: true }, { name: "reached", number: true }, { name: "waiting", number: true }, { name: "promoted", number: true }, { name: "best", number: true }];
  const rungs = tableOf("Rungs", RUNGS);
  const failed = tableOf("Failures", [{ name: "at" }, { name: "trial" }, { name: "state" }, { name: "last words" }], { extra: [0] });
  for (const one of [workers, rungs, failed]) one.scroll.classList.add("short");
  const next = make("p", { className: "soft" }), more = make("p", { className: "soft", hidden: true });
  const none = make("p", { className: "soft", textContent: "Nothing runs." });
  const grid = new FigureGrid(make("div", { className: "figures" })), rungGrid = new FigureGrid(make("div", { className: "figures" }));
  const rungTable = make("div", {}, rungs.scroll, next);
  const space = lazy("space", "Search space"), importance = lazy("importance", "Hyperparameter importance");
  const file = make("details", {}, make("summary", { textContent: "experiment.yaml: the resolved configuration" }), make("pre", { tabIndex: 0 }));
  file.addEventListener("toggle", async () => {
    if (file.open) file.querySelector("pre").textContent = await ask(path + "/configuration", "text").catch((error) => error.message);
  });
  const trials = trialsTable();
  const steering = session.steers ? steerExperiment(path) : null;
  const parts = {
    workers: sectionOf("workers", "Workers now", none, workers.scroll, more), rungs: sectionOf("rungs", "Rungs", make("div", { className: "columns" }, rungTable, rungGrid.place)),
    failures: sectionOf("failures", "Failures", make("p", { className: "soft", textContent: "The last ones; the table of trials has all." }), failed.scroll),
  };
  byId("content").append(
    tiles, budget, steered, configuration, parts.workers, parts.rungs, parts.failures,
    sectionOf("progress", "Progress", grid.place), trials.section, sectionOf("more", "Search space and importance", space.details, importance.details),
    sectionOf("configuration", "Configuration", file),
  );

  // Figures that cost something, or that few look at, are asked for when they are opened.
  function lazy(group, title) {
    const own = new FigureGrid(make("div", { className: "figures" })), note = make("p", { className: "soft" }), again = make("button", { type: "button", textContent: "As of now" });
    const details = make("details", { open: choices.get(group) === "1" }, make("summary", { textContent: title }), make("div", { className: "tools" }, note, again), own.place);
    const load = async () => {
      note.textContent = "being made …";
      try {
        const found = await ask(`${path}/charts/${group}`);
        await own.show(found.charts);
        note.textContent = `As of event ${found.sequence}.`;
      } catch (error) { note.textContent = error.message; }
    };
    details.addEventListener("toggle", () => {
      choices.set({ [group]: details.open ? "1" : "" }, { replace: true });
      if (details.open) load();
    });
    again.addEventListener("click", load);
    return { details };
  }

  // ---------------------------------------------------------------- trials: sorted, searched and paged by the server

  function trialsTable() {
    const search = make("input", { type: "search", placeholder: "Search, for example: paused relu", ariaLabel: "Search trials", value: choices.get("q") });
    const before = make("button", { type: "button", textContent: "Previous" }), after = make("button", { type: "button", textContent: "Next" });
    const count = make("span", { className: "soft" }), place = make("div");
    count.setAttribute("role", "status");
    const section = sectionOf("trials", "Trials", make("div", { className: "tools" }, search, before, after, count), place);
    let table = null, heads = [], number = 0, timer = 0, at = -1;
    const turn = (by) => { choices.set({ page: String(Math.max(0, (+choices.get("page") || 0) + by) || "") }); load(); };
    before.addEventListener("click", () => turn(-1));
    after.addEventListener("click", () => turn(1));
    search.addEventListener("input", () => {
      choices.set({ q: search.value, page: "" }, { replace: true });
      clearTimeout(timer);
      timer = setTimeout(load, 120);
    });
    const sortBy = (key) => {
      choices.set({ sort: key, down: choices.get("sort") === key && choices.get("down") !== "1" ? "1" : "", page: "" });
      load();
    };
    async function load() {
      const mine = ++number, [sort, down] = [choices.get("sort") || "trial", choices.get("sort") ? choices.get("down") : "1"];
      const query = new URLSearchParams({ sort, down, q: choices.get("q"), page: choices.get("page") || "0" });
      let found;
      try { found = await ask(`${path}/trials?${query}`); } catch (error) { count.textContent = error.message; return; }
      if (mine !== number) return;
      at = found.sequence;
      const names = found.columns.map((column) => column.name).join("\n");
      if (!table || heads.map((head) => head.name).join("\n") !== names) {
        const numeric = (i) => found.rows.length && found.rows.every((row) => row[i] === null || typeof row[i] === "number");
        heads = found.columns.map((column, i) => ({ ...column, number: i !== 0 && numeric(i) }));
        table = tableOf("Trials", heads, { sortable: sortBy });
        place.replaceChildren(table.scroll);
      }
      setRows(table.body, found.rows.map((row) => ({ key: row[0], cells: row.map((value, i) =>
        i === 0 ? { text: String(value), href: trialHref(value) } : i === 1 ? { text: value, dot: found.colours[value], className: "state" } : value) })));
      markSorted(table.heads, heads, sort, down === "1");
      const from = found.page * 100;
      const words = found.found ? `${from + 1}–${from + found.rows.length} of ${found.found}` + (found.found < found.total ? ` (${found.total} in all)` : "") : "nothing found";
      if (count.textContent !== words) count.textContent = words;
      before.disabled = found.page === 0;
      after.disabled = found.page >= found.pages - 1;
      root.dataset.trials = found.sequence;
    }
    addEventListener("popstate", () => { search.value = choices.get("q"); load(); });
    return { section, load, stale: () => at !== sequence };
  }

  // ---------------------------------------------------------------- the board

  const elapsed = () => board.elapsed + (board.ticking && board.condition === "running" ? Math.max(0, live.now() - board.at) : 0);

  function showBoard() {
    steering?.(board);
    steered.hidden = !board.steered;
    if (steered.textContent !== board.steered) steered.textContent = board.steered;
    const name = `${board.benchmark} · ${board.method} · seed ${board.seed}`;
    if (byId("title").textContent !== name) heading(name, [["All experiments", "/"]]);
    const state = board.finished ? `${board.condition}: ${board.finished}` : board.condition + (board.detail ? `: ${board.detail}` : "");
    const subtitle = `${board.tag} · ${state}`;
    if (byId("subtitle").textContent !== subtitle) byId("subtitle").textContent = subtitle;
    const best = board.best, statuses = Object.entries(board.statuses).map(([status, n]) => `${n} ${status}`).join(", ");
    showClock();
    setTiles(tiles, [
      [0, best ? brief(best.value) : "none yet", best ? `${board.metric} (${board.mode}), trial ${best.trial}, ${board.resource} ${best.resource}` : `${board.metric} (${board.mode})`],
      [0, board.trials.toLocaleString("en"), statuses], [0, board.reports.toLocaleString("en"), board.target === null ? "" : `target ${brief(board.target)}`],
      [0, clock(elapsed()), board.devices], [0, String(board.n_workers ?? "?"), `busy ${percent(board.busy)}` + (board.condition === "running" ? `, ${percent(board.recent)} in the last minute` : "")],
    ]);
    const text = !best ? "" : board.front ? `Front: ${board.front}. Best configuration for ${board.metric}: ${best.configuration}` : `Best configuration: ${best.configuration}`;
    const told = text + (best && best.test ? ` Not selected on: ${best.test}.` : "") + (best && best.confirmed ? ` Best ${best.confirmed}.` : "");
    if (configuration.textContent !== told) configuration.textContent = told;
    const rows = board.workers.rows;
    workers.scroll.hidden = !rows.length;
    none.hidden = rows.length > 0;
    parts.workers.hidden = board.condition !== "running" && !rows.length;
    workers.heads.children[1].textContent = rows.some((row) => row.node) ? "node, GPU" : "GPU";
    workers.heads.children[4].textContent = board.resource;
    workers.heads.children[5].textContent = board.metric;
    setRows(workers.body, rows.map(({ worker, node, devices, used, seconds, trial }) => ({ key: worker, extra: [1, 2, 7], cells: trial ? [
      String(worker), [node, ...devices.split(",").map((one) => one in board.gpu_use ? `${one}: ${board.gpu_use[one]}%` : one)].join(" ").trim(), { text: percent(used), className: "number" },
      { text: String(trial.trial), href: trialHref(trial.trial) }, { text: trial.ending ? "ending" : trial.until === null ? String(trial.resource) : `${trial.resource}/${trial.until}`, className: "number" },
      trial.value, { text: clock(seconds), className: "number" }, { text: trial.configuration, className: "long" },
    ] : [String(worker), "", { text: percent(used), className: "number" }, "idle", "", "", "", ""] })));
    more.hidden = !board.workers.more;
    more.textContent = `… and ${board.workers.more} more`;
    const { rows: steps, promotes, maximum, last } = board.rungs;
    rungTable.hidden = !steps.length;
    showRungs();
    rungs.heads.children[0].textContent = `rung (${board.resource})`;
    rungs.heads.children[3].textContent = promotes ? "waiting" : "stopped";
    rungs.heads.children[4].hidden = !promotes;
    const count = (n, level) => ({ text: level === maximum ? "" : String(n), className: "number" });
    setRows(rungs.body, steps.map((row) => ({ key: row.level, cells: [{ text: String(row.level), className: "number" }, { text: String(row.running || ""), className: "number" }, { text: String(row.reached), className: "number" },
      count(promotes ? row.waiting : row.stopped, row.level), ...(promotes ? [count(row.promoted, row.level)] : []), row.best] })));
    const promoted = last ? `; promoted last: trial ${last.trial} from ${last.from}` + (last.to === null ? "" : ` to ${last.to}`) : "";
    next.textContent = board.next ? `Next: ${board.next}${promoted}` : "";
    parts.failures.hidden = !board.failures.length;
    setRows(failed.body, board.failures.map((one) => ({ key: `${one.trial}-${one.elapsed}`, extra: [0], cells: [clock(one.elapsed), { text: String(one.trial), href: trialHref(one.trial) }, one.status, { text: one.reason, className: "long" }] })));
  }

  // The table is of hpo's own methods, the figure of any whose log has rungs.
  function showRungs() {
    rungGrid.place.hidden = !rungGrid.charts.size;
    parts.rungs.hidden = rungTable.hidden && rungGrid.place.hidden;
  }

  function showClock() {
    if (!board) return;
    const { progress } = board, running = board.condition === "running";
    budget.hidden = !progress;
    if (progress) {
      const passed = running ? elapsed() - board.elapsed : 0;
      bar.firstChild.style.width = percent(progress.share);
      bar.setAttribute("aria-valuenow", Math.round(progress.share * 100));
      const left = running && progress.left !== null ? `, about ${clock(Math.max(0, progress.left - passed))} left` : "";
      const words = board.finished ? progress.budget : `${percent(progress.share)}, ${progress.budget}${left}`;
      if (done.textContent !== words) done.textContent = words;
    }
    const time = tiles.children[3].querySelector("dd").firstChild;
    if (time.nodeValue !== clock(elapsed())) time.nodeValue = clock(elapsed());
    const age = board.told ? `event ${board.sequence}, ${ago(live.now() - board.told)} ago` : "";
    if (byId("age").textContent !== age) byId("age").textContent = age;
    if (!document.hidden && !live.paused && performance.now() - spoken > 15000) speak();
  }

  let spoken = performance.now(), said = "";
  function speak() {
    const words = `${board.condition}: ${board.counts}` + (board.best ? `, best ${board.metric} ${brief(board.best.value)}` : "");
    if (words !== said) byId("summary").textContent = said = words;
    spoken = performance.now();
  }

  // ---------------------------------------------------------------- figures, and what goes on in front of them

  async function loadFigures() {
    if (asking) return;
    asking = true;
    asked = performance.now();
    try {
      const found = await ask(path + "/charts/main");
      await grid.show(found.charts.filter((chart) => chart.name !== "rungs"));
      await rungGrid.show(found.charts.filter((chart) => chart.name === "rungs").map((chart) => ({ ...chart, title: "Trials at each rung", wide: true })));
      showRungs();
      figures = found;
      const kept = fresh.n.map((n, i) => [n, i]).filter(([n]) => n > found.sequence).map(([, i]) => i);
      fresh = Object.fromEntries(Object.entries(fresh).map(([name, column]) => [name, kept.map((i) => column[i])]));
      for (const chart of grid.charts.values()) chart.growing = board?.condition === "running";
      if (since !== null && found.sequence < since) { // they were made earlier: ask for what lies between
        since = found.sequence;
        live.restart(found.cursor);
      }
      showTail();
      root.dataset.figures = found.sequence;
    } catch (error) { notice(error.message); }
    asking = false;
  }

  function showTail() {
    if (!figures || !fresh.n.length) return;
    const anytime = grid.charts.get("anytime"), curves = grid.charts.get("curves");
    if (anytime) showBest(anytime); // the first reports: it is drawn with the next figures
    if (!curves) return;
    const of = new Map();
    fresh.n.forEach((_, i) => {
      const trial = fresh.trial[i];
      if (!of.has(trial)) of.set(trial, { x: [], y: [] });
      of.get(trial).x.push(fresh.x[i]);
      of.get(trial).y.push(fresh.y[i]);
    });
    const pieces = { x: [], y: [], labels: [] }, ends = lastOf(curves.spec);
    for (const [trial, { x, y }] of of) {
      const before = ends.get(`trial ${trial}`);
      pieces.x.push(...(before ? [before[0]] : []), ...x, null);
      pieces.y.push(...(before ? [before[1]] : []), ...y, null);
      pieces.labels.push(...(before ? [`trial ${trial}`] : []), ...x.map(() => `trial ${trial}`), "");
    }
    curves.setTail([{ ...pieces, kind: "line", gaps: true, name: "just now", colour: "#B85C8F", dots: 4, width: 1.6 }]);
  }

  // The best so far goes on, and each trial's last report; what does not meet the constraints is hollow and no best.
  function showBest(anytime) {
    const best = anytime.spec.panels[0].series.find((series) => series.kind === "line");
    const better = board.mode === "max" ? (a, b) => a > b : (a, b) => a < b, line = { x: [best.x.at(-2)], y: [best.y.at(-2)] };
    const last = new Map();
    fresh.n.forEach((_, i) => {
      const [t, y] = [fresh.t[i] / figures.unit, fresh.y[i]];
      last.set(fresh.trial[i], [t, y, fresh.ok[i]]);
      if (fresh.ok[i] && y !== null && better(y, line.y.at(-1))) {
        line.x.push(t);
        line.y.push(y);
      }
    });
    line.x.push(board.elapsed / figures.unit);
    line.y.push(line.y.at(-1));
    const dots = (met, name, look) => {
      const some = [...last].filter(([, [, , ok]]) => Boolean(ok) === met), series = { kind: "points", name, colour: "#767C86", ...look };
      return { ...series, x: some.map(([, [t]]) => t), y: some.map(([, [, y]]) => y), labels: some.map(([trial]) => `trial ${trial}`) };
    };
    anytime.setTail([dots(true, "last report of a trial", {}), dots(false, "last report, constraints not met", { hollow: true }), { ...best, ...line, labels: line.x.map(() => "best so far") }]);
  }

  const lastKnown = new WeakMap();
  // Where each curve ended when the figure was made.
  function lastOf(spec) {
    if (!lastKnown.has(spec)) {
      const ends = new Map();
      for (const series of spec.panels[0].series) series.labels.forEach((label, i) => { if (label && series.y[i] !== null) ends.set(label, [series.x[i], series.y[i]]); });
      lastKnown.set(spec, ends);
    }
    return lastKnown.get(spec);
  }

  function take(data) {
    notice(data.trouble || "");
    if (!data.board) {
      byId("subtitle").textContent = data.condition;
      return;
    }
    const ended = board && board.condition === "running" && data.board.condition !== "running", first = !board;
    board = data.board;
    const grown = sequence !== board.sequence;
    sequence = board.sequence;
    if (data.new) since ??= sequence;
    if (data.new) for (const name of Object.keys(fresh)) fresh[name].push(...data.new[name]);
    showBoard();
    if (data.condition === "reading") return;
    if (first || !figures || ended) loadFigures();
    if (first || ended) trials.load();
    if (grown && !first) showTail();
    root.dataset.ready ||= performance.now().toFixed(0);
    root.dataset.sequence = sequence;
  }

  let trialsAt = performance.now();
  const live = new Live(path + "/stream", {
    message: take,
    reset(data) {
      figures = null;
      since = null;
      fresh = { n: [], trial: [], x: [], y: [], t: [], ok: [] };
      board = null;
      byId("summary").textContent = "This experiment was started again, or much has happened meanwhile: all of it was read again.";
      if (data.board) take(data);
    },
    second() {
      showClock();
      if (live.paused || document.hidden || !board || !live.source) return;
      const now = performance.now();
      if (figures && figures.sequence !== sequence && now - asked > figures.wait * 1000) loadFigures();
      if (trials.stale() && now - trialsAt > 5000) {
        trialsAt = now;
        trials.load();
      }
    },
  });
});
