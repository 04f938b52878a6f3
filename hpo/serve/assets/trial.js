"use strict";
// One trial: its curve among the others, its configuration beside the best's, its attempts and what they print.
whenOpen(() => {
  const [, , id, , number] = location.pathname.slice(base.length).split("/"), path = `/e/${id}`;
  let seen = null, asking = false, again = false, log = null, condition = "", stopped;
  const steering = session.steers ? steerTrial(path, number) : null;

  heading(`Trial ${number}`, [["All experiments", "/"], ["Experiment", path]]);
  const tiles = tilesOf([["state", "", ""], ["last", "", ""], ["best", "", ""], ["attempts", "", ""]]);
  const grid = new FigureGrid(make("div", { className: "figures" }));
  const pairs = tableOf("Configuration", [{ name: "hyperparameter" }, { name: "this trial" }, { name: "the best trial" }]);
  const attempts = tableOf("Attempts", [{ name: "attempt" }, { name: "state" }, { name: "worker", number: true }, { name: "from", number: true }, { name: "seconds", number: true }, { name: "stdout", number: true }, { name: "stderr", number: true }], { extra: [2, 3] });
  for (const one of [pairs, attempts]) one.scroll.classList.add("short");
  const command = make("code", { className: "command" });
  const choose = make("div", { className: "filters" }), which = make("p", { className: "soft" }), output = make("pre", { tabIndex: 0 });
  choose.setAttribute("role", "group");
  choose.setAttribute("aria-label", "Which log");
  output.setAttribute("role", "region");
  output.setAttribute("aria-label", "Log");
  byId("content").append(
    tiles, sectionOf("curve", "Learning curve", grid.place), sectionOf("logs", "Logs", make("div", { className: "logs" }, choose, which, output)),
    sectionOf("attempts", "Attempts", attempts.scroll), sectionOf("configuration", "Configuration", pairs.scroll),
    sectionOf("reproduce", "Train it again", make("p", { className: "soft", textContent: "Prints the command of this trial; with --run it is trained again, and compared." }), command),
  );

  async function load() {
    if (asking) return void (again = true);
    asking = true;
    try {
      seen = await ask(`${path}/t/${number}`);
      notice("");
      show();
      steering?.(condition, seen.status);
    } catch (error) { notice(error.message); }
    asking = false;
    if (again) {
      again = false;
      setTimeout(load, 500);
    }
  }

  function show() {
    const kept = seen.attempts, last = kept.at(-1);
    setTiles(tiles, [
      [0, seen.status, seen.reached ? `${seen.resource} ${seen.reached}` + (seen.until === null ? "" : ` of ${seen.until}`) : ""], [0, brief(seen.value) || "none", [seen.metric, seen.further].filter(Boolean).join(", ")],
      [0, brief(seen.best) || "none", seen.best_at === null ? "" : `at ${seen.resource} ${seen.best_at}`], [0, String(kept.length), ""],
    ]);
    const names = Object.keys(seen.configuration), best = seen.best_configuration || {};
    pairs.heads.children[2].textContent = seen.best_trial === null ? "the best trial" : `the best, trial ${seen.best_trial}`;
    setRows(pairs.body, names.map((name) => ({ key: name, cells: [name, { text: brief(seen.configuration[name]) }, { text: brief(best[name]) }] })));
    const bytes = (one, name) => name in one.logs ? { text: `${one.logs[name].toLocaleString("en")} bytes`, href: href(`/api${path}/t/${number}/log/${one.number}/${name}`), className: "number" } : "";
    attempts.heads.children[2].textContent = kept.some((one) => one.node !== null) ? "worker, node" : "worker";
    setRows(attempts.body, kept.map((one) => ({ key: one.number, extra: [2, 3], cells: [
      { text: String(one.number) }, one.status, one.node === null ? one.worker : `${one.worker}, ${one.node}`, { text: clock(one.start), className: "number" }, { text: (one.end - one.start).toFixed(2), className: "number" }, bytes(one, "stdout"), bytes(one, "stderr"),
    ] })));
    command.textContent = seen.command;
    showCurve();
    chooseLog(kept, last);
    root.dataset.ready ||= performance.now().toFixed(0);
    root.dataset.sequence = seen.sequence;
  }

  let others = null;
  async function showCurve() {
    if (!others) {
      others = ask(path + "/charts/main").then((found) => {
        const chart = found.charts.find((one) => one.name === "curves");
        return grid.show([{ ...chart, needless: false, wide: true, title: `Trial ${number} among the others`, caption: `The thick line is trial ${number}. ${chart.caption}` }]);
      }).catch((error) => notice(error.message));
    }
    await others;
    const chart = grid.charts.get("curves");
    if (!chart || !seen.curve) return;
    const label = `trial ${number}`, { x, y } = seen.curve;
    chart.setTail([{ kind: "line", gaps: true, name: label, colour: "#0072B2", width: 3, dots: 7, x: [...x, null], y: [...y, null], labels: [...x.map(() => label), ""] }]);
  }

  // ---------------------------------------------------------------- logs

  function chooseLog(kept, last) {
    const names = kept.flatMap((one) => Object.keys(one.logs).map((name) => `${one.number}/${name}`));
    if (!names.length) {
      which.textContent = "This trial has left no logs here.";
      output.hidden = true;
      return;
    }
    const asked = choices.get("log"), bad = last.status === "failed" ? "stderr" : "stdout";
    const usual = names.includes(`${last.number}/${bad}`) && last.logs[bad] ? `${last.number}/${bad}` : names.findLast((name) => { const [n, what] = name.split("/"); return kept.find((one) => String(one.number) === n).logs[what] > 0; }) ?? names.findLast((name) => name.endsWith("stdout")) ?? names.at(-1);
    const chosen = names.includes(asked) ? asked : log?.name && names.includes(log.name) ? log.name : usual;
    const old = new Map([...choose.children].map((button) => [button.dataset.name, button]));
    choose.replaceChildren(...names.slice(-12).map((name) => {
      const [attempt, what] = name.split("/"), button = old.get(name) || make("button", { type: "button", textContent: `${what} of attempt ${attempt}` });
      if (!button.dataset.name) {
        button.dataset.name = name;
        button.addEventListener("click", () => {
          choices.set({ log: name });
          open(name);
        });
      }
      return button;
    }));
    if (log?.name !== chosen) open(chosen);
    mark();
  }

  const mark = () => { for (const button of choose.children) button.setAttribute("aria-pressed", String(button.dataset.name === log?.name)); };

  function open(name) {
    log?.source?.close();
    output.textContent = "";
    output.hidden = true;
    log = { name, source: null };
    resume();
    mark();
  }

  function resume() {
    if (!log || log.source || document.hidden || live?.paused) return;
    const [attempt, what] = log.name.split("/"), mine = log, take = ({ event, data: text }) => {
      if (log !== mine || event) return;
      const data = JSON.parse(text);
      if (data.gone) {
        which.textContent = `It cannot be read: ${data.gone}`;
        return mine.source.close();
      }
      const down = output.scrollHeight - output.scrollTop - output.clientHeight < 40;
      const words = ((data.reset ? "" : output.textContent) + data.text).slice(-65536);
      output.textContent = words;
      output.hidden = !data.size;
      which.textContent = data.size ? `${what} of attempt ${attempt}: ${data.size.toLocaleString("en")} bytes` + (data.size > 65536 ? ", the last 64 kB" : "") : `${what} of attempt ${attempt} is empty`;
      if (down) output.scrollTop = output.scrollHeight;
      root.dataset.log = String(data.size);
    };
    mine.source = follow(`${path}/t/${number}/log/${attempt}/${what}/stream`, {
      message: take,
      lost: () => {
        mine.source = null;
        if (log === mine) setTimeout(resume, 2000);
      },
    });
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      log?.source?.close();
      if (log) log.source = null;
    } else resume();
  });
  addEventListener("pagehide", () => log?.source?.close());
  addEventListener("popstate", () => seen && show());

  let live = null;
  live = new Live(path + "/stream", {
    message(data) {
      if (data.trouble) notice(data.trouble);
      if (!data.board || data.condition === "reading") return;
      condition = data.board.condition;
      const { board } = data, name = `${board.benchmark} · ${board.method} · seed ${board.seed}`;
      heading(`Trial ${number}`, [["All experiments", "/"], [name, path]]);
      byId("subtitle").textContent = `${board.tag} · ${name}`;
      const about = board.workers.rows.some((row) => row.trial?.trial === +number) || data.new?.trial.includes(+number);
      const ended = stopped !== board.statuses.stopped; // perhaps this one, by command, while it was paused
      stopped = board.statuses.stopped;
      if (!seen || about || ended || (seen.status === "running" && seen.sequence !== board.sequence)) load();
    },
    reset() { others = null; seen = null; },
  });
});
