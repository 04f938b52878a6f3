"use strict";
// Who answers at this address: it proves first that it knows the link's secret, which is never sent, and then requests are signed.
// hpo/serve/signing.py says how. The secret is in this page's memory alone; what the browser keeps is the key of one server process.
const root = document.documentElement, base = root.dataset.base;

// ---------------------------------------------------------------- HMAC-SHA256; browsers lend theirs to https and this machine's addresses only

const ROUNDS = new Uint32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);

function sha256(bytes) {
  const padded = new Uint8Array(((bytes.length + 72) >> 6) << 6), view = new DataView(padded.buffer), w = new Uint32Array(64);
  const state = Uint32Array.of(0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(padded.length - 4, bytes.length << 3);
  const turn = (x, n) => (x >>> n) | (x << (32 - n));
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 64; i++) {
      w[i] = i < 16 ? view.getUint32(at + 4 * i)
        : w[i - 16] + (turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ (w[i - 15] >>> 3)) + w[i - 7] + (turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ (w[i - 2] >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUNDS[i] + w[i]) | 0;
      const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((value, i) => { state[i] += value; });
  }
  const sum = new DataView(new ArrayBuffer(32));
  state.forEach((value, i) => sum.setUint32(4 * i, value));
  return new Uint8Array(sum.buffer);
}

const utf8 = (text) => new TextEncoder().encode(text);
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const randomWord = () => hex(crypto.getRandomValues(new Uint8Array(16)));

function mac(key, ...parts) {
  let bytes = utf8(key);
  if (bytes.length > 64) bytes = sha256(bytes);
  const padded = (mask) => Uint8Array.from({ length: 64 }, (_, i) => (bytes[i] ?? 0) ^ mask), joined = (a, b) => Uint8Array.of(...a, ...b);
  return hex(sha256(joined(padded(0x5c), sha256(joined(padded(0x36), utf8(parts.join("\n")))))));
}

// ---------------------------------------------------------------- the server proves itself

const session = {
  kept: "hpo" + base,
  secret: null, // of the link; in memory alone, so that a page that another program serves here finds none
  key: "",
  skew: 0,
  steers: false,
  opened: false,
  proving: null,

  // From the address, which does not keep it, or from the page before; see `go`.
  takeSecret() {
    const found = /^#token=([\w-]+)$/.exec(location.hash) ?? /^hpo ([\w-]+)$/.exec(window.name);
    if (!found) return false;
    window.name = "";
    if (location.hash) history.replaceState(history.state, "", location.pathname + location.search);
    this.secret = found[1];
    this.proving = null;
    return true;
  },

  // Once, and again after `doubt`.
  proven() {
    this.proving ??= this.prove().catch((error) => {
      this.proving = null;
      throw error;
    });
    return this.proving;
  },

  // Whoever answers next may be somebody else.
  doubt() {
    this.proving = null;
  },

  async prove() {
    const nonce = randomWord(), answer = await fetch(`${base}/api/hello?nonce=${nonce}`, { cache: "no-store" });
    const told = await answer.json().catch(() => null), known = this.remembered();
    if (!answer.ok || typeof told?.boot !== "string" || !Array.isArray(told.proofs)) throw refusal("Another program answers at this address, or one between: nothing was told to it.");
    const keys = [this.secret && mac(this.secret, "hpo serve", told.boot), known.boot === told.boot && known.key].filter(Boolean);
    for (const key of keys) {
      const place = told.proofs.indexOf(mac(key, "server", nonce, location.host));
      if (place < 0) continue;
      this.key = key;
      this.steers = place === 1;
      this.skew = told.now - Date.now() / 1000;
      if (known.key !== key) keep?.setItem(this.kept, JSON.stringify({ boot: told.boot, key }));
      return;
    }
    throw refusal(this.secret ? "What answers at this address does not know this link: nothing was told to it." : "Open the link that hpo serve has printed: this page has none, or the server was started again.");
  },

  remembered() {
    const found = JSON.parse(keep?.getItem(this.kept) ?? "{}");
    return typeof found?.key === "string" ? found : {};
  },

  signature(method, target, body) {
    const at = (Date.now() / 1000 + this.skew).toFixed(3), nonce = randomWord();
    return `HPO-HMAC-SHA256 ${at} ${nonce} ${mac(this.key, "page", method, location.host, target, at, nonce, hex(sha256(utf8(body))))}`;
  },
};

// Pages of other tabs find the key of this server process there; a browser that keeps nothing has none, and each tab needs the link.
const keep = (() => {
  try { return localStorage; } catch { return null; }
})();

// Why there is nothing to show, to be told as it is; a server that does not answer has no status.
const refusal = (words, status = 401) => Object.assign(new Error(words), { status });
const refusalOf = async (answer) => refusal((await answer.json().catch(() => ({}))).error || `The server answered ${answer.status}.`, answer.status);

// A signed request below /api; the server has proven itself since the last doubt.
async function send(path, { method = "GET", body = "", signal } = {}, again = false) {
  await session.proven();
  const { pathname, search } = new URL(`${base}/api${path}`, location.origin), target = pathname + search;
  const headers = { Authorization: session.signature(method, target, body), ...(body ? { "Content-Type": "application/json" } : {}) };
  const answer = await fetch(target, { method, headers, cache: "no-store", signal, ...(body ? { body } : {}) }).catch((error) => {
    if (!signal?.aborted) session.doubt();
    throw error;
  });
  if (answer.status !== 401 || again) return answer;
  session.doubt(); // another process of the server, or a clock that was set
  return send(path, { method, body, signal }, true);
}

// Server-sent events of a signed request. Tells `message` each {id, event, data}, and `lost` once when there are no more.
function follow(path, { opened, message, lost }) {
  const ended = new AbortController();
  const read = async () => {
    const answer = await send(path, { signal: ended.signal });
    if (!answer.ok) throw await refusalOf(answer);
    opened?.();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ;) {
      const { value, done } = await reader.read();
      if (done) throw new Error("The server has ended it.");
      const parts = (rest + value).split("\n\n");
      rest = parts.pop();
      for (const part of parts) {
        const fields = part.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]);
        try { message(Object.fromEntries(fields)); } catch (error) { reportError(error); }
      }
    }
  };
  read().catch((error) => {
    if (ended.signal.aborted) return;
    session.doubt();
    lost(error);
  });
  return { close: () => ended.abort() };
}

// ---------------------------------------------------------------- pages begin, and lead to each other

// Begin when the server has proven itself; until then the page says why it has not.
async function whenOpen(begin) {
  for (let wait = 500; ; wait = Math.min(wait * 1.6, 5000)) {
    try {
      await session.proven();
      break;
    } catch (error) {
      notice(error.status ? error.message : "The server does not answer.");
      root.dataset.ready ||= performance.now().toFixed(0);
      await new Promise((done) => { // for the link, in this tab or another, or for the server
        addEventListener("hashchange", done, { once: true });
        addEventListener("storage", done, { once: true });
        if (!error.status || session.secret) setTimeout(done, wait);
      });
    }
  }
  session.opened = true;
  delete root.dataset.ready;
  notice("");
  begin();
}

// To another page, unless whoever answers now cannot prove itself: then this page stays. The next one takes the secret from the window's
// name, which is in memory alone, and empties it; browsers remember addresses.
async function go(address, { replace = false } = {}) {
  session.doubt();
  try { await session.proven(); } catch (error) {
    return notice(error.status ? error.message : "The server does not answer.");
  }
  window.name = session.secret ? `hpo ${session.secret}` : "";
  setTimeout(() => { window.name = ""; }, 5000); // this page is still here
  location[replace ? "replace" : "assign"](address);
}

// A text of the server, which a browser's own request would not get.
async function showText(path) {
  try {
    const answer = await send(path);
    if (!answer.ok) throw await refusalOf(answer);
    location.assign(URL.createObjectURL(await answer.blob()));
  } catch (error) { notice(error.message); }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || event.button || link.origin !== location.origin || link.hash) return;
  if (link.pathname.startsWith(`${base}/api/`)) showText(link.pathname.slice(base.length + 4));
  else if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // another tab, which has the key, too
  else go(link.href);
  event.preventDefault();
});

addEventListener("hashchange", async () => {
  const { opened, steers } = session;
  if (!session.takeSecret() || !opened) return;
  await session.proven().catch((error) => notice(error.message));
  if (session.steers !== steers) location.reload();
});

session.takeSecret();
