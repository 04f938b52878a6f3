"use strict";
// Buttons by which a running experiment is told what to do: only in pages that were opened by the link that steers.
// Each asks first, and says in numbers what will happen; one that cannot be pressed says why.
window.Steer = class {
  // Names: what each button says, by its command.
  constructor(path, names, argumentsOf = () => ({})) {
    this.path = path;
    this.argumentsOf = argumentsOf;
    this.known = "";
    this.over = "";
    this.asked = 0;
    this.buttons = new Map(Object.entries(names).map(([verb, name]) => {
      const button = make("button", { type: "button", textContent: name, disabled: true });
      button.dataset.verb = verb;
      button.addEventListener("click", () => this.confirm(verb, name));
      return [verb, button];
    }));
    this.why = make("p", { className: "soft", id: "steer-why" });
    this.said = make("p", { id: "steer-said" });
    this.said.setAttribute("role", "status");
    this.section = sectionOf("steer", "Steer", make("div", { className: "tools" }, ...this.buttons.values()), this.why, this.said);
  }

  // What has changed, of the experiment or of the trial, may change what can be asked.
  changed(words, over = "") {
    const known = words + "|" + over;
    this.over = over;
    if (known === this.known) return;
    this.known = known;
    this.look();
  }

  async look() {
    const asked = ++this.asked;
    let found;
    try { found = await ask(this.path + "/commands"); } catch (error) {
      if (!error.status) this.known = "";  // the server did not answer: ask again when the page hears of anything
      found = { why: error.message, says: {}, held: null, budget: {} };
    }
    if (asked !== this.asked) return found;  // answers may overtake each other: what was asked last is the latest
    const why = found.why ? `The experiment cannot be told: ${found.why}.` : this.over;
    for (const [verb, button] of this.buttons) {
      button.disabled = Boolean(why);
      if (verb === "hold") button.hidden = found.held !== null;
      if (verb === "go-on") button.hidden = found.held === null;
    }
    if (this.why.textContent !== why) this.why.textContent = why;
    root.dataset.steer = why ? "no" : "yes";
    return found;
  }

  async confirm(verb, name) {
    const found = await this.look();
    if (this.buttons.get(verb).disabled) return;
    const title = make("h2", { id: "steer-title", textContent: name.replace("…", "") }), says = make("p", { id: "steer-says", textContent: found.says[verb] });
    const inputs = verb === "budget" ? Object.entries(found.budget).map(([key, value]) => make("input", { name: key, id: "steer-" + key, inputMode: "decimal", autocomplete: "off", value: value ?? "", defaultValue: value ?? "" })) : [];
    const fields = inputs.map((input) => make("p", { className: "field" }, make("label", { htmlFor: input.id, textContent: input.name }), input));
    const failed = make("p", { className: "failed" }), no = make("button", { type: "button", textContent: "Cancel" }), yes = make("button", { type: "button", textContent: name.replace("…", ""), id: "steer-yes" });
    failed.setAttribute("role", "alert");
    const dialog = make("dialog", { className: "steer" }, title, says, ...fields, failed, make("div", { className: "tools" }, no, yes));
    dialog.setAttribute("aria-labelledby", title.id);
    dialog.setAttribute("aria-describedby", says.id);
    no.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    yes.addEventListener("click", async () => {
      const changes = Object.fromEntries(inputs.filter((input) => input.value.trim() !== input.defaultValue).map((input) => [input.name, input.value.trim() === "" ? null : Number(input.value)]));
      yes.disabled = true;
      failed.textContent = "";
      const answer = await this.post(verb, verb === "budget" ? changes : this.argumentsOf(verb));
      yes.disabled = false;
      if (answer.error) {
        failed.textContent = answer.error;
        return;
      }
      this.said.textContent = answer.said;
      dialog.close();
      this.look();
    });
    document.body.append(dialog);
    dialog.showModal();
  }

  async post(command, given) {
    const words = { method: "POST", body: JSON.stringify({ command, arguments: given }) };
    try {
      const answer = await send(`${this.path}/commands`, words);
      return await answer.json();
    } catch (error) {
      return { error: error.status ? error.message : "The server does not answer; the command may not have been given." };
    }
  }
};

window.steerExperiment = (path) => {
  const steer = new Steer(path, { hold: "Hold", "go-on": "Let it go on", budget: "Change the budget…", interrupt: "Interrupt…", end: "End…" });
  return (board) => {
    if (!steer.section.isConnected) document.querySelector(".tiles").after(steer.section);
    steer.changed(`${board.condition} ${board.detail}`);
  };
};

window.steerTrial = (path, number) => {
  const steer = new Steer(path, { stop: "Stop this trial…" }, () => ({ trial: Number(number) }));
  return (condition, status) => {
    if (!steer.section.isConnected) document.querySelector(".tiles").after(steer.section);
    const going = ["running", "paused", "interrupted"].includes(status);
    steer.changed(`${condition} ${status}`, going ? "" : `Trial ${number} has ended: it is ${status}.`);
  };
};
