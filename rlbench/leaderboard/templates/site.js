// Sorting, filtering and searching a board's tables, with the state in the address: #?sort=iqm&q=spr
"use strict";

(() => {
  const form = document.querySelector("form.tools");
  const tables = [...document.querySelectorAll("table.board")];
  const rows = [...document.querySelectorAll("tr[data-agent]")];
  if (!form || !tables.length) return;
  const output = form.querySelector("output");
  const original = new Map(tables.map((table) => [table, [...table.tBodies[0].rows]]));
  const BETTER_LOW = new Set(["agent", "rank", "tier", "optimality_gap", "hours", "source", "deviations"]);

  // The state: what is searched (q), the badge, complete ("yes"), the column (sort), its order (dir).
  function read() {
    const text = location.hash.startsWith("#?") ? location.hash.slice(2) : "";
    return Object.fromEntries(new URLSearchParams(text));
  }

  function write(state) {
    const kept = Object.entries(state).filter(([, value]) => value);
    const text = new URLSearchParams(kept).toString();
    history.replaceState(null, "", text ? `#?${text}` : location.pathname + location.search);
    document.dispatchEvent(new CustomEvent("state", { detail: state }));
  }

  function columns(table) {
    return [...table.tHead.rows[0].cells];
  }

  function keyOf(row, index) {
    return row.cells[index].dataset.key ?? "";
  }

  // Holes come last in either order.
  function compare(a, b, sign) {
    if (a === "" || b === "") return (a === "") - (b === "");
    const [x, y] = [Number(a), Number(b)];
    const numbers = !Number.isNaN(x) && !Number.isNaN(y);
    return sign * (numbers ? x - y : a.localeCompare(b, "en", { numeric: true }));
  }

  function sort(table, state) {
    const headers = columns(table);
    const index = headers.findIndex((header) => state.sort && header.dataset.sort === state.sort);
    const sign = state.dir === "desc" ? -1 : 1;
    const ordered = [...original.get(table)];
    if (index >= 0) ordered.sort((a, b) => compare(keyOf(a, index), keyOf(b, index), sign));
    table.tBodies[0].append(...ordered);
    for (const header of headers) header.removeAttribute("aria-sort");
    if (index >= 0) headers[index].setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  }

  function matches(row, state) {
    const text = `${row.dataset.agent} ${row.dataset.source}`.toLowerCase();
    return (
      text.includes((state.q || "").trim().toLowerCase()) &&
      (!state.badge || row.dataset.badge === state.badge) &&
      (!state.complete || row.dataset.complete === "yes")
    );
  }

  function show(state) {
    form.elements.q.value = state.q || "";
    form.elements.badge.value = state.badge || "";
    form.elements.complete.checked = Boolean(state.complete);
    for (const row of rows) row.hidden = !matches(row, state);
    for (const table of tables) sort(table, state);
    const all = tables.flatMap((table) => [...table.tBodies[0].rows]);
    const seen = all.filter((row) => !row.hidden).length;
    output.textContent = `${seen} of ${all.length} agents shown`;
  }

  // The address may lead elsewhere in the page meanwhile: what was chosen stays.
  let chosen = read();

  // Other scripts keep theirs there too, and tell of it as `write` does.
  document.addEventListener("state", ({ detail }) => {
    chosen = detail;
  });

  function change(more) {
    chosen = { ...chosen, ...more };
    write(chosen);
    show(chosen);
  }

  // A first press sorts the better end up, a second turns it round, a third goes back.
  function press(key) {
    const { sort: old, dir } = chosen;
    const first = BETTER_LOW.has(key) ? "asc" : "desc";
    const second = first === "asc" ? "desc" : "asc";
    if (old !== key) change({ sort: key, dir: first });
    else if (dir === first) change({ sort: key, dir: second });
    else change({ sort: "", dir: "" });
  }

  for (const table of tables) {
    for (const header of columns(table)) {
      if (!header.dataset.sort) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      button.addEventListener("click", () => press(header.dataset.sort));
      header.append(button);
    }
  }
  form.addEventListener("input", () => {
    const { q, badge, complete } = form.elements;
    change({ q: q.value, badge: badge.value, complete: complete.checked ? "yes" : "" });
  });
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    chosen = {};
    write(chosen);
    show(chosen);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", () => {
    if (location.hash && !location.hash.startsWith("#?")) return;
    chosen = read();
    show(chosen);
  });
  form.hidden = false;
  show(chosen);
})();
