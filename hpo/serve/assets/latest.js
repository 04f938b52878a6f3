"use strict";
// The experiment whose log has changed last.
whenOpen(() => ask("/latest").then(({ id }) => go(href("/e/" + id), { replace: true }), (error) => error.status === 404 ? showMissing() : notice(error.message)));
