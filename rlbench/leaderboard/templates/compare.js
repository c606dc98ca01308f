// Fills the page that compares two agents; the choice stands in the address: #?a=SLUG&b=SLUG
//
// Each agent has a script of data, compare/SLUG.js, which calls `rlbenchCompare`. Nothing else is
// loaded. All numbers were computed before; only the differences of task means are made here. What
// is shown is set as text.
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const form = document.getElementById("choose");
  const part = document.getElementById("pair");
  const trouble = document.getElementById("trouble");
  const { tasks, total, fields, words, labels, ticks, edge, apart, tops } = JSON.parse(
    document.getElementById("compare-data").textContent,
  );
  const MIRRORED = { larger: "smaller", smaller: "larger" };
  const known = [...form.elements.a.options].map((option) => option.value);

  // Data of agents, by slug.
  const arrived = new Map();
  const asked = new Map();
  window.rlbenchCompare = (slug, data) => arrived.set(slug, data);

  function load(slug) {
    if (!asked.has(slug)) {
      const loading = new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = `compare/${slug}.js`;
        script.addEventListener("load", () => resolve(arrived.get(slug)));
        script.addEventListener("error", () => {
          asked.delete(slug);
          reject(new Error(`compare/${slug}.js could not be loaded`));
        });
        document.head.append(script);
      });
      asked.set(slug, loading);
    }
    return asked.get(slug);
  }

  // As the site writes numbers elsewhere: three decimals, fewer where they are large.
  function number(value) {
    const size = Math.abs(value);
    const decimals = size < 10 ? 3 : size < 1000 ? 1 : 0;
    const rounded = Number(value.toFixed(decimals)) + 0;
    return rounded.toLocaleString("en-US", {
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
    });
  }

  function interval([, low, high, , note]) {
    if (low === null) return words["no interval"];
    return `[${number(low)}, ${number(high)}]${note ? ` ${words.mark}` : ""}`;
  }

  function fill(text, values) {
    return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }

  const turn = ([point, low, high, method, note], of) => [
    of - point,
    high === null ? null : of - high,
    low === null ? null : of - low,
    method,
    note,
  ];

  // What the marks of some intervals say; nothing if none is marked.
  function marked(all) {
    const said = new Set(all.map((ends) => ends?.[4]).filter(Boolean));
    return said.size ? [`${words.mark} ${[...said].join(" ")}`] : [];
  }

  // An estimate with its texts in the place of their numbers.
  const spelled = (ends, texts) => ends && [...ends.slice(0, 3), texts[ends[3]], texts[ends[4]]];

  // The pair in this order, with its texts in the place of their numbers; nothing if there is none.
  function pairOf(a, b) {
    const first = arrived.get(a);
    const second = arrived.get(b);
    const [owner, row] = first.pairs[b] ? [first, first.pairs[b]] : [second, second.pairs[a]];
    if (!row) return null;
    const say = (ends) => spelled(ends, owner.texts);
    const pair = {
      statistic: row.s,
      tasks: row.n,
      a: say(row.a),
      b: say(row.b),
      gap: say(row.d),
      chance: say(row.i),
      p: row.p,
      test: owner.texts[row.t],
      decision: row.is,
      family: row.of,
      reason: owner.texts[row.r],
      words: owner.texts[row.w],
    };
    if (owner === first) return pair;
    return {
      ...pair,
      a: pair.b,
      b: pair.a,
      gap: turn(pair.gap, 0),
      chance: pair.chance && turn(pair.chance, 1),
      decision: MIRRORED[pair.decision] ?? pair.decision,
    };
  }

  function notes(pair) {
    const said = [];
    if (pair.decision === "not separated") said.push(words["not equal"]);
    if (pair.family === 1) said.push(words.alone);
    if (pair.family > 1) said.push(fill(words.family, { family: pair.family.toLocaleString("en-US") }));
    said.push(fill(words.tasks, { n: pair.tasks, total }));
    return [...said, ...marked([pair.a, pair.b, pair.gap, pair.chance])].join(" ");
  }

  function methods({ a, b, gap, chance, test }) {
    const said = [
      `of each agent: ${[...new Set([a[3], b[3]])].join(" and ")}`,
      `of the difference: ${gap[3]}`,
    ];
    if (chance) said.push(`of the probability: ${chance[3]}`);
    const tested = test ? ` The p-value: ${test}.` : "";
    return `Intervals, 95% nominal, ${said.join("; ")}.${tested}`;
  }

  function viewOf(first, second, pair) {
    const names = { a: first.name, b: second.name };
    const view = { ...names, "a-runs": first.runs, "b-runs": second.runs };
    if (!pair) {
      const statistic = first.full.iqm && second.full.iqm ? "iqm" : "mean";
      const of = [first, second].map((agent) => spelled(agent.full[statistic], agent.texts));
      const common = tasks.some((_, k) => first.tasks[k] && second.tasks[k]);
      return {
        ...view,
        verdict: fill(words.missing, names),
        note: [words[common ? "why missing" : "no common"], ...marked(of)].join(" "),
        value: fill(words.value, { statistic: labels[statistic] }),
        "a-point": number(of[0][0]),
        "a-ends": interval(of[0]),
        "b-point": number(of[1][0]),
        "b-ends": interval(of[1]),
        "gap-point": "–",
        "chance-point": "–",
      };
    }
    const said = { ...names, statistic: labels[pair.statistic], words: pair.words, reason: pair.reason };
    return {
      ...view,
      verdict: fill(words[pair.decision], said),
      note: notes(pair),
      value: fill(words.value, said),
      "a-point": number(pair.a[0]),
      "a-ends": interval(pair.a),
      "b-point": number(pair.b[0]),
      "b-ends": interval(pair.b),
      "gap-point": number(pair.gap[0]),
      "gap-ends": interval(pair.gap),
      "chance-point": pair.chance
        ? number(pair.chance[0])
        : words[pair.family ? "too many" : "not tested"],
      "chance-ends": pair.chance ? interval(pair.chance) : "",
      p: pair.p,
      methods: methods(pair),
    };
  }

  // What differs: name, the first agent's value, the second's.
  function differing(first, second) {
    const [one, two] = [first.fields ?? fields, second.fields ?? fields];
    const names =
      first.fields && second.fields
        ? Object.keys(one).filter((name) => one[name] !== two[name] || one[name] === null)
        : [...first.deviates, ...second.deviates];
    const rows = names.map((name) => [
      name.replaceAll("_", " "),
      one[name] ?? words["not known"],
      two[name] ?? words["not known"],
    ]);
    for (const [name, value] of Object.entries(first.terms)) {
      if (value !== second.terms[name]) rows.push([name, value, second.terms[name]]);
    }
    return rows;
  }

  function cell(tag, text, className) {
    const element = document.createElement(tag);
    if (tag === "th") element.scope = "row";
    if (className) element.className = className;
    element.textContent = text;
    return element;
  }

  function shape(tag, attributes) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  }

  function upright(className, at, y1, y2) {
    return shape("line", { class: className, x1: `${at}%`, x2: `${at}%`, y1, y2 });
  }

  // Where values stand, in % of the width: linear near 0, logarithmic far from it.
  function scaleOf(lines) {
    const values = lines.flatMap(({ one, two }) => [one, two].filter(Boolean).flat(2));
    const [low, high] = [Math.min(0, ...values), Math.max(1, ...values)];
    const from = Math.asinh(low);
    const share = (100 - 2 * edge) / (Math.asinh(high) - from);
    const at = (value) => Math.round((edge + (Math.asinh(value) - from) * share) * 100) / 100;
    const kept = [];
    for (const value of ticks) {
      const place = at(value);
      const free = kept.every(([, other]) => Math.abs(place - other) >= apart);
      if (low <= value && value <= high && free) kept.push([value, place]);
    }
    return { at, kept };
  }

  function drawingOf({ one, two }, { at, kept }) {
    const svg = shape("svg", { class: "dumbbell", height: 26, "aria-hidden": "true" });
    svg.append(...kept.map(([, place]) => upright("axis", place, 0, 26)));
    if (one && two) {
      const ends = { x1: `${at(one[0])}%`, x2: `${at(two[0])}%`, y1: 13, y2: 13 };
      svg.append(shape("line", { class: "link", ...ends }));
    }
    const strokes = shape("svg", {
      width: "100%",
      height: 26,
      viewBox: "0 0 100 26",
      preserveAspectRatio: "none",
    });
    for (const [k, runs] of [one?.[1], two?.[1]].entries()) {
      if (!runs?.length) continue;
      const d = runs.map((value) => `M${at(value)} ${tops[k]}v5`).join("");
      strokes.append(shape("path", { class: `run-${"ab"[k]}`, d }));
    }
    svg.append(strokes);
    if (two) svg.append(shape("circle", { class: "mean-b", cx: `${at(two[0])}%`, cy: 13, r: 4.5 }));
    if (one) svg.append(shape("circle", { class: "mean-a", cx: `${at(one[0])}%`, cy: 13, r: 3.5 }));
    return svg;
  }

  function showTasks(first, second) {
    const lines = tasks
      .map((task, k) => ({ task, one: first.tasks[k], two: second.tasks[k] }))
      .filter(({ one, two }) => one || two)
      .map((line) => ({ ...line, gap: line.one && line.two ? line.one[0] - line.two[0] : null }));
    // The greatest difference first; holes last.
    lines.sort((x, y) => (x.gap === null) - (y.gap === null) || y.gap - x.gap);
    const scale = scaleOf(lines);
    const axis = part.querySelector("[data-axis]");
    axis.replaceChildren();
    for (const [value, place] of scale.kept) {
      const label = shape("text", { x: `${place}%`, y: 10 });
      label.textContent = value;
      axis.append(upright("axis", place, 12, 16), label);
    }
    const rows = lines.map((line) => {
      const row = document.createElement("tr");
      const name = cell("th", "");
      const link = cell("a", line.task.name);
      link.href = line.task.page;
      name.append(link);
      const drawn = cell("td", "", "drawn");
      drawn.append(drawingOf(line, scale));
      const means = [line.one, line.two].map((mean) =>
        mean ? cell("td", number(mean[0]), "n") : cell("td", words["no run"], "n hole"),
      );
      row.append(name, drawn, ...means, cell("td", line.gap === null ? "–" : number(line.gap), "n"));
      return row;
    });
    part.querySelector('[data-rows="tasks"]').replaceChildren(...rows);
  }

  function render(a, b) {
    const [first, second] = [arrived.get(a), arrived.get(b)];
    const view = viewOf(first, second, pairOf(a, b));
    for (const slot of part.querySelectorAll("[data-slot]")) {
      slot.textContent = view[slot.dataset.slot] ?? "";
    }
    const rows = differing(first, second);
    const shown = { p: view.p, same: !rows.length, differs: rows.length };
    for (const box of part.querySelectorAll("[data-if]")) box.hidden = !shown[box.dataset.if];
    part.querySelector('[data-rows="protocols"]').replaceChildren(
      ...rows.map(([name, one, two]) => {
        const row = document.createElement("tr");
        row.append(cell("th", name), cell("td", one, "wide"), cell("td", two, "wide"));
        return row;
      }),
    );
    showTasks(first, second);
  }

  function say(problem) {
    trouble.textContent = problem;
    trouble.hidden = !problem;
    part.hidden = Boolean(problem);
  }

  async function show() {
    const [a, b] = [form.elements.a.value, form.elements.b.value];
    if (a === b) {
      say("Choose two different agents.");
      return;
    }
    try {
      await Promise.all([load(a), load(b)]);
    } catch (error) {
      say(`${error.message}.`);
      return;
    }
    // Others may have been chosen meanwhile.
    if (a !== form.elements.a.value || b !== form.elements.b.value) return;
    render(a, b);
    say("");
  }

  // Another agent where the address names none that is here: the next in the list.
  function read() {
    const text = location.hash.startsWith("#?") ? location.hash.slice(2) : "";
    const chosen = new URLSearchParams(text);
    const a = known.includes(chosen.get("a")) ? chosen.get("a") : known[0];
    const next = known[known.indexOf(a) + 1] ?? known[known.indexOf(a) - 1];
    form.elements.a.value = a;
    form.elements.b.value = known.includes(chosen.get("b")) ? chosen.get("b") : next;
  }

  function change() {
    const chosen = { a: form.elements.a.value, b: form.elements.b.value };
    history.replaceState(null, "", `#?${new URLSearchParams(chosen)}`);
    show();
  }

  form.addEventListener("change", change);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.elements.swap.addEventListener("click", () => {
    const { a, b } = form.elements;
    [a.value, b.value] = [b.value, a.value];
    change();
  });
  window.addEventListener("hashchange", () => {
    if (location.hash && !location.hash.startsWith("#?")) return;
    read();
    show();
  });
  form.hidden = false;
  read();
  show();
})();
