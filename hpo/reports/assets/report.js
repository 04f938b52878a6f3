"use strict";
// Puts the figures and the tables of the report in their places, from the JSON in the page.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const root = document.documentElement;
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.getElementById("theme").addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; });
  read("charts").filter((chart) => chart.panels.length).forEach((chart) => addChart(chart));
  read("tables").forEach(showTable);
  root.dataset.ready = performance.now().toFixed(0);
})();
