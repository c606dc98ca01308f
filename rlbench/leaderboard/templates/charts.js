// Draws each `figure[data-chart]` anew from its specification, in the place of its picture.
//
// The specification stands in the page, in `script#chart-NAME`. If it cannot be drawn, the picture
// stays. Nothing is loaded, and what is shown is set as text.
"use strict";

(() => {
  const NEAR = "300px";
  const NARROW = 500; // px; in narrower figures names on axes have the width below
  const NARROW_NAME = 75; // px
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

  function specOf(figure) {
    const spec = JSON.parse(document.getElementById(`chart-${figure.dataset.chart}`).textContent);
    const colours = new Map();
    for (const [property, ink] of Object.entries(spec.usermeta.inks)) {
      colours.set(ink, colourOf(property, figure));
    }
    const config = JSON.stringify(spec.config);
    spec.config = JSON.parse(config, (_key, value) => colours.get(value) ?? value);
    spec.config.font = getComputedStyle(figure).fontFamily;
    if (figure.clientWidth < NARROW) spec.config.axis.labelLimit = NARROW_NAME;
    return spec;
  }

  // Draws a figure beside `old`, which is shown until the chart can stand there instead.
  async function draw(figure, old) {
    const box = document.createElement("div");
    box.className = "chart";
    // It has a width from the start, and no height until it is drawn.
    Object.assign(box.style, { height: "0", overflow: "hidden" });
    old.box.after(box);
    try {
      const { finalize } = await vegaEmbed(box, specOf(figure), {
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
      return { box, finalize };
    } catch (error) {
      box.remove();
      console.warn(`The chart ${figure.dataset.chart} stays as it was: ${error.message}`);
      return old;
    }
  }

  function start(figure) {
    let drawn = draw(figure, { box: figure.querySelector("img"), finalize: () => {} });
    dark.addEventListener("change", () => {
      drawn = drawn.then((old) => draw(figure, old));
    });
  }

  const figures = document.querySelectorAll("figure[data-chart]");
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
