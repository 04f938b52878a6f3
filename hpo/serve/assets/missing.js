"use strict";
// An address that leads to nothing.
heading("There is nothing here", [["All experiments", "/"]]);
byId("content").append(make("p", { textContent: "No experiment, trial or tag has this address. It may have been moved or deleted." }));
root.dataset.ready = performance.now().toFixed(0);
