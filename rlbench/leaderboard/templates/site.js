// Sorting, filtering and searching a board's tables and choosing their columns, with the state in the
// address: #?sort=mean&q=spr&columns=runs,date
"use strict";

(() => {
  const form = document.querySelector("form.tools");
  const tables = [...document.querySelectorAll("table.board")];
  const rows = [...document.querySelectorAll("tr[data-agent]")];
  if (!form || !tables.length) return;
  const output = form.querySelector("output");
  const original = new Map(
    tables.flatMap((table) => [...table.tBodies].map((body) => [body, [...body.rows]])),
  );
  // The columns that are folded at first, by key, in the order of the tables.
  const folded = new Map(
    tables.flatMap((table) =>
      [...table.tHead.querySelectorAll("[data-folded]")].map((h) => [h.dataset.sort, h.textContent]),
    ),
  );
  const falling = new Set(
    [...document.querySelectorAll("th[data-falls]")].map((header) => header.dataset.sort),
  );

  // The state: what is searched (q), the badge, complete ("yes"), the column (sort), its order (dir),
  // and the folded columns that are shown (columns), by commas.
  function read() {
    const text = location.hash.startsWith("#?") ? location.hash.slice(2) : "";
    return Object.fromEntries(new URLSearchParams(text));
  }

  function write(state) {
    const kept = Object.entries(state).filter(([, value]) => value);
    const text = new URLSearchParams(kept).toString().replaceAll("%2C", ",");
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
    const [first, ...others] = table.tBodies;
    const parts = [first, ...others].map((body) => original.get(body));
    const sorted = index >= 0;
    if (sorted) {
      // A column of all agents: the pools stay apart by their tiers alone.
      const agents = parts.flat().filter((row) => row.dataset.agent !== undefined);
      first.append(...agents.sort((a, b) => compare(keyOf(a, index), keyOf(b, index), sign)));
    } else [first, ...others].forEach((body, place) => body.append(...parts[place]));
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter((row) => row.dataset.agent !== undefined);
      const group = body.querySelector(".group");
      if (group) group.hidden = sorted || rows.every((row) => row.hidden);
    }
    for (const header of headers) header.removeAttribute("aria-sort");
    if (sorted) headers[index].setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  }

  function fold(table, shown) {
    columns(table).forEach((header, index) => {
      if (header.dataset.folded === undefined) return;
      const hidden = !shown.has(header.dataset.sort);
      if (header.hidden === hidden) return;
      header.hidden = hidden;
      for (const body of table.tBodies) {
        for (const row of body.rows) if (row.cells[index]) row.cells[index].hidden = hidden;
      }
    });
  }

  function chosenColumns(state) {
    return (state.columns || "").split(",").filter((key) => folded.has(key));
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
    const shown = new Set(chosenColumns(state));
    for (const box of boxes) box.checked = shown.has(box.value);
    if (folded.has(state.sort)) shown.add(state.sort);
    for (const table of tables) {
      sort(table, state);
      fold(table, shown);
    }
    const all = rows.filter((row) => row.closest("table.board"));
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
    const first = falling.has(key) ? "desc" : "asc";
    const second = first === "asc" ? "desc" : "asc";
    if (old !== key) change({ sort: key, dir: first });
    else if (dir === first) change({ sort: key, dir: second });
    else change({ sort: "", dir: "" });
  }

  const chooser = form.querySelector(".chooser");
  for (const [key, text] of folded) {
    const box = document.createElement("input");
    Object.assign(box, { type: "checkbox", name: "column", value: key });
    const label = document.createElement("label");
    label.append(box, ` ${text}`);
    chooser.querySelector("fieldset").append(label);
  }
  const boxes = [...chooser.querySelectorAll("input")];

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
    const keys = boxes.filter((box) => box.checked).map((box) => box.value);
    change({
      q: q.value,
      badge: badge.value,
      complete: complete.checked ? "yes" : "",
      columns: keys.join(","),
    });
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
