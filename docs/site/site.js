// What scrolls can be reached by keyboard, also what the theme wraps later; what is hidden cannot.
const reach = () => document.querySelectorAll(".md-typeset__scrollwrap").forEach(region => { region.tabIndex = 0; });
new MutationObserver(reach).observe(document.body, { childList: true, subtree: true });
reach();
document.querySelectorAll("[data-md-component=palette] input").forEach(input => { input.tabIndex = -1; });
