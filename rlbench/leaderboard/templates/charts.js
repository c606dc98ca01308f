// Draws each `figure[data-chart]` anew from its specification, in the place of its picture.
//
// The specification stands in the page, in `script#chart-NAME`. If it cannot be drawn, the picture
// stays. Nothing is loaded, and what is shown is set as text. Which lines are drawn and which are
// pinned stands in the address, with what site.js keeps there: #?lines=spr,bbf&pinned=bbf
"use strict";

(() => {
  const NEAR = "300px";
  const NARROW = 500; // px; in narrower figures names on axes have the width below
  const NARROW_NAME = 75; // px
  const NARROW_END = 90; // px of a name at the end of a line there
  const OFF = 14; // px from the pointer to the tooltip

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const tooltip = document.createElement("div");
  tooltip.className = "chart-tooltip";
  tooltip.setAttribute("role", "tooltip");
  Object.assign(tooltip.style, { position: "fixed", pointerEvents: "none" });

  const refuse = () => Promise.reject(new Error("a chart loads nothing"));
  const loader = { load: refuse, sanitize: refuse, http: refuse, file: refuse };

  function showTooltip(_handler, event, _item, fields) {
    if (!fields) {
      tooltip.remove();
      return;
    }
    tooltip.replaceChildren();
    for (const [name, value] of Object.entries(fields)) {
      const line = document.createElement("div");
      const term = document.createElement("b");
      term.textContent = name;
      line.append(term, ` ${value}`);
      tooltip.append(line);
    }
    document.body.append(tooltip);
    const { width, height } = tooltip.getBoundingClientRect();
    const after = event.clientX + OFF;
    const left = after + width > innerWidth ? event.clientX - OFF - width : after;
    const below = event.clientY + OFF;
    const top = below + height > innerHeight ? event.clientY - OFF - height : below;
    tooltip.style.left = `${Math.max(0, left)}px`;
    tooltip.style.top = `${Math.max(0, top)}px`;
  }

  // A custom property as it is written may hold a function of CSS: an element has its colour.
  function colourOf(property, place) {
    const probe = document.createElement("span");
    probe.style.color = `var(${property})`;
    place.append(probe);
    const colour = getComputedStyle(probe).color;
    probe.remove();
    return colour;
  }

  // The state of the page, by name; of it `lines` and `pinned` are ours: names of agents' pages.
  function read() {
    const text = location.hash.startsWith("#?") ? location.hash.slice(2) : "";
    return Object.fromEntries(new URLSearchParams(text));
  }

  let chosen = read();
  const charts = []; // of lines

  function change(more) {
    chosen = { ...chosen, ...more };
    const kept = Object.entries(chosen).filter(([, value]) => value);
    const text = new URLSearchParams(kept).toString().replaceAll("%2C", ",");
    history.replaceState(null, "", text ? `#?${text}` : location.pathname + location.search);
    document.dispatchEvent(new CustomEvent("state", { detail: chosen }));
  }

  const listed = (key) => (chosen[key] || "").split(",").filter(Boolean);

  // The lines of a chart: those of its agents that are chosen, or else the first.
  function linesOf({ agents, first }) {
    const found = [...new Set(listed("lines"))].filter((name) => agents.has(name));
    return found.length ? found : [...agents.keys()].slice(0, first);
  }

  function toggleLine(name, on) {
    const having = charts.filter(({ agents }) => agents.has(name));
    const drawn = new Set([...listed("lines"), ...having.flatMap(linesOf)]);
    if (on) drawn.add(name);
    else drawn.delete(name);
    change({ lines: [...drawn].join(",") });
  }

  function togglePin(name) {
    const pinned = new Set(listed("pinned"));
    if (!pinned.delete(name)) pinned.add(name);
    change({ pinned: [...pinned].join(",") });
  }

  // A line keeps its look while others come and go; a new one takes the first that is free.
  function assignLooks(chart) {
    const lines = linesOf(chart);
    chart.looks = chart.looks.map((name) => (lines.includes(name) ? name : null));
    for (const name of lines) {
      if (chart.looks.includes(name)) continue;
      const free = chart.looks.indexOf(null);
      chart.looks[free < 0 ? chart.looks.length : free] = name;
    }
  }

  function lookOf({ looks, told }, name) {
    const place = looks.indexOf(name);
    const { colours, dashes } = told;
    const dash = dashes[Math.floor(place / colours.length) % dashes.length];
    return { colour: colours[place % colours.length], dash };
  }

  // Heights of names, px from the top, near those wanted and a line apart: `spread` in Python.
  function spread(wanted, most, gap) {
    const order = wanted.map((_height, place) => place).sort((a, b) => wanted[a] - wanted[b]);
    const heights = [...wanted];
    let least = 0;
    for (const place of order) {
      heights[place] = Math.max(heights[place], least);
      least = heights[place] + gap;
    }
    for (const place of order.reverse()) {
      heights[place] = Math.min(heights[place], most);
      most = heights[place] - gap;
    }
    return heights;
  }

  // Leaves the chosen lines in a specification: `choose` in Python.
  function choose(spec, chart) {
    const { told, agents } = chart;
    const lines = linesOf(chart);
    const names = lines.map((line) => agents.get(line));
    const rows = spec.datasets.rows.filter((row) => names.includes(row.agent));
    let domain = told.domain;
    if (!domain) {
      const ends = rows
        .flatMap(({ point, low, high }) => [point, low, high])
        .filter((end) => end !== null);
      const [least, most] = [Math.min(...ends), Math.max(...ends)];
      const margin = 0.04 * (most - least || 1);
      domain = [least - margin, most + margin];
    }
    const [low, high] = domain;
    const last = [...new Map(rows.map((row) => [row.agent, row])).values()];
    const wanted = last.map(({ point }) => ((high - point) / (high - low)) * spec.height);
    const heights = spread(wanted, spec.height, told.gap);
    const label = (place) => high - (heights[place] / spec.height) * (high - low);
    spec.datasets = { rows, ends: last.map((row, place) => ({ ...row, label: label(place) })) };
    const looks = lines.map((line) => lookOf(chart, line));
    const scales = {
      color: { domain: names, range: looks.map(({ colour }) => colour) },
      strokeDash: { domain: names, range: looks.map(({ dash }) => dash) },
      y: { domain, nice: false },
    };
    spec.layer = spec.layer.filter(({ name }) => name !== "bands" || lines.length <= told.bands);
    for (const { encoding } of spec.layer) {
      for (const [channel, scale] of Object.entries(scales)) {
        if (encoding[channel]) encoding[channel].scale = scale;
      }
    }
  }

  // Draws in full what is pinned and what is pointed at.
  function emphasise(chart, hovered = "") {
    const lines = linesOf(chart);
    const pinned = listed("pinned").filter((name) => lines.includes(name));
    const signals = { pinned: pinned.map((name) => chart.agents.get(name)), hovered };
    for (const [name, value] of Object.entries(signals)) chart.view?.signal(name, value);
    chart.view?.runAsync();
  }

  function nameOf({ agents }, agent) {
    return [...agents].find(([, called]) => called === agent)?.[0];
  }

  function listen(chart) {
    const agentOf = (item) => item?.datum?.agent ?? "";
    chart.view.addEventListener("pointerover", (_event, item) => emphasise(chart, agentOf(item)));
    chart.view.addEventListener("pointerout", () => emphasise(chart));
    chart.view.addEventListener("click", (_event, item) => {
      const name = nameOf(chart, agentOf(item));
      if (name) togglePin(name);
    });
    emphasise(chart);
  }

  function specTextOf(figure) {
    return document.getElementById(`chart-${figure.dataset.chart}`).textContent;
  }

  function specOf(figure, chart) {
    const spec = JSON.parse(specTextOf(figure));
    const colours = new Map();
    for (const [property, ink] of Object.entries(spec.usermeta.inks)) {
      colours.set(ink, colourOf(property, figure));
    }
    const config = JSON.stringify(spec.config);
    spec.config = JSON.parse(config, (_key, value) => colours.get(value) ?? value);
    spec.config.font = getComputedStyle(figure).fontFamily;
    const narrow = figure.clientWidth < NARROW;
    if (narrow) spec.config.axis.labelLimit = NARROW_NAME;
    if (chart) {
      choose(spec, chart);
      if (narrow) spec.params.find(({ name }) => name === "nameLimit").value = NARROW_END;
    }
    return spec;
  }

  // Draws a figure beside `old`, which is shown until the chart can stand there instead.
  async function draw(figure, old, chart) {
    const box = document.createElement("div");
    box.className = "chart";
    // It has a width from the start, and no height until it is drawn.
    Object.assign(box.style, { height: "0", overflow: "hidden" });
    old.box.after(box);
    try {
      const { finalize, view } = await vegaEmbed(box, specOf(figure, chart), {
        mode: "vega-lite",
        renderer: "svg",
        ast: true,
        actions: false,
        defaultStyle: false,
        tooltip: showTooltip,
        loader,
      });
      Object.assign(box.style, { height: "", overflow: "" });
      // Vega has named it by itself.
      box.setAttribute("role", "img");
      const name = old.box.getAttribute("alt") ?? old.box.getAttribute("aria-label");
      box.setAttribute("aria-label", name);
      box.removeAttribute("aria-roledescription");
      old.box.remove();
      old.finalize();
      if (chart) {
        chart.view = view;
        listen(chart);
      }
      return { box, finalize };
    } catch (error) {
      box.remove();
      console.warn(`The chart ${figure.dataset.chart} stays as it was: ${error.message}`);
      return old;
    }
  }

  // What a chart of lines has besides its figure; nothing if it is none.
  function chartOf(figure) {
    let spec;
    try {
      spec = JSON.parse(specTextOf(figure));
    } catch {
      return null; // drawing it will say so
    }
    const told = spec.usermeta?.lines;
    if (!told) return null;
    const chooser = document.querySelector(`details[data-of="${figure.dataset.chart}"]`);
    const inputs = chooser ? [...chooser.querySelectorAll("input")] : [];
    const agents = chooser
      ? new Map(inputs.map((input) => [input.value, input.dataset.agent]))
      : new Map(spec.datasets.rows.map(({ agent }) => [agent, agent]));
    return { agents, chooser, first: told.shown, inputs, looks: [], told, view: null };
  }

  // Shows the state in a chooser.
  function show(chart) {
    const { agents, chooser, inputs } = chart;
    assignLooks(chart);
    if (!chooser) return;
    const lines = linesOf(chart);
    const pinned = listed("pinned");
    for (const input of inputs) {
      const button = input.closest("li").querySelector("button");
      input.checked = lines.includes(input.value);
      input.style.accentColor = input.checked ? lookOf(chart, input.value).colour : "";
      button.disabled = !input.checked;
      button.setAttribute("aria-pressed", input.checked && pinned.includes(input.value));
    }
    chooser.querySelector(".count").textContent = `${lines.length} of ${agents.size}`;
  }

  function listenToChooser(chart) {
    const { agents, chooser, inputs } = chart;
    for (const input of inputs) {
      const item = input.closest("li");
      const hover = () => emphasise(chart, input.checked ? agents.get(input.value) : "");
      const leave = () => emphasise(chart);
      input.addEventListener("change", () => toggleLine(input.value, input.checked));
      item.querySelector("button").addEventListener("click", () => togglePin(input.value));
      item.addEventListener("pointerenter", hover);
      item.addEventListener("pointerleave", leave);
      item.addEventListener("focusin", hover);
      item.addEventListener("focusout", leave);
    }
    chooser.querySelector(".first").addEventListener("click", () => change({ lines: "", pinned: "" }));
    chooser.hidden = false;
  }

  function start(figure) {
    const chart = charts.find((one) => one.figure === figure);
    let drawn = draw(figure, { box: figure.querySelector("img"), finalize: () => {} }, chart);
    const redraw = () => {
      drawn = drawn.then((old) => draw(figure, old, chart));
    };
    dark.addEventListener("change", redraw);
    if (!chart) return;
    chart.redraw = redraw;
  }

  function update() {
    for (const chart of charts) {
      const before = chart.looks.join(" ");
      show(chart);
      if (chart.looks.join(" ") !== before) chart.redraw?.();
      else emphasise(chart);
    }
  }

  const figures = [...document.querySelectorAll("figure[data-chart]")];
  for (const figure of figures) {
    const chart = chartOf(figure);
    if (!chart) continue;
    charts.push(Object.assign(chart, { figure }));
    if (chart.chooser) listenToChooser(chart);
  }
  update();
  document.addEventListener("state", ({ detail }) => {
    chosen = detail;
    update();
  });
  window.addEventListener("hashchange", () => {
    if (location.hash && !location.hash.startsWith("#?")) return;
    chosen = read();
    update();
  });
  if (!window.IntersectionObserver) {
    figures.forEach(start);
    return;
  }
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (isIntersecting) {
          observer.unobserve(target);
          start(target);
        }
      }
    },
    { rootMargin: NEAR },
  );
  figures.forEach((figure) => observer.observe(figure));
})();
