// Draws every [data-plot]: takes its option from the JSON beside it, puts in colours and formats, follows theme and size.
"use strict";
(() => {
  const language = document.documentElement.lang;
  const locale = { en: "en-GB", nl: "nl-NL", hr: "hr-HR" }[language] ?? language;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const COLOURS = ["accent", "soft", "muted", "ink", "grid", "surface", "good", "good-soft",
    "tone1", "tone2", "tone3", "tone4", "tone5", "tone6"];

  // ---- Tokens ------------------------------------------------------------------------------------------------------

  const palette = () => {
    const probe = document.createElement("span");
    document.body.append(probe);
    const found = Object.fromEntries(COLOURS.map((name) => {
      probe.style.color = `var(--plot-${name})`;
      return [`@${name}`, getComputedStyle(probe).color];
    }));
    probe.remove();
    return found;
  };

  const day = (number) => new Date(number * 86400000);
  const format = (options) => { const made = new Intl.NumberFormat(locale, options); return (value) => made.format(value); };
  const dates = (options) => {
    const made = new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" });
    return (value) => made.format(day(value));
  };
  const money = (currency) => {
    const digits = new Intl.NumberFormat(locale, { style: "currency", currency }).resolvedOptions().maximumFractionDigits;
    const short = format({ style: "currency", currency, notation: "compact", maximumFractionDigits: 1 });
    return (minor) => short(minor / 10 ** digits);
  };
  const FORMATS = {
    number: () => format({ notation: "compact", maximumFractionDigits: 1 }),
    percent: () => format({ style: "percent", maximumFractionDigits: 0 }),
    day: () => dates({ day: "numeric", month: "short" }),
    // Months name their year only where it begins, and on the first label.
    month: () => {
      const [month, year, both] = [{ month: "short" }, { year: "numeric" }, { month: "short", year: "numeric" }].map(dates);
      return (value, index) => (index === 0 ? both : day(value).getUTCMonth() ? month : year)(value);
    },
    money,
  };

  const resolve = (value, colours) => {
    if (Array.isArray(value)) return value.map((each) => resolve(each, colours));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, resolve(each, colours)]));
    }
    if (typeof value !== "string" || !value.startsWith("@")) return value;
    const [name, argument] = value.slice(1).split(":");
    return colours[value] ?? FORMATS[name]?.(argument) ?? value;
  };

  // ---- Look --------------------------------------------------------------------------------------------------------

  const text = (colours) => ({ color: colours["@muted"], fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12 });

  const axis = (given, across, width, colours) => {
    const valued = given.type === "value";
    return {
      nameGap: across ? 28 : 12,
      nameTextStyle: { ...text(colours), color: colours["@muted"], align: across ? "center" : "left" },
      axisTick: { show: false },
      splitLine: { lineStyle: { color: colours["@grid"] } },
      axisLine: { show: across || !valued, lineStyle: { color: colours["@grid"] } },
      ...given,
      ...(!across && given.name ? { nameLocation: "end" } : {}),
      axisLabel: {
        ...text(colours),
        hideOverlap: true,
        margin: 10,
        ...(!across && !valued ? { width: width * 0.4, overflow: "truncate" } : {}),
        ...given.axisLabel,
      },
    };
  };

  const dressed = (option, title, width, colours) => ({
    ...option,
    animation: !calm.matches,
    animationDuration: 300,
    textStyle: text(colours),
    color: ["@tone1", "@tone2", "@tone3", "@tone4", "@tone5", "@tone6"].map((token) => colours[token]),
    aria: { enabled: true, label: { description: title }, decal: { show: (option.series ?? []).length > 1 } },
    grid: { left: 4, right: 12, top: option.yAxis?.name ? 36 : 24, bottom: option.xAxis?.name ? 30 : 8, containLabel: true, ...option.grid },
    tooltip: {
      renderMode: "richText", // the HTML one writes inline styles, which the content security policy refuses
      confine: true,
      backgroundColor: colours["@ink"],
      borderWidth: 0,
      padding: [6, 10],
      textStyle: { ...text(colours), color: colours["@surface"] },
      formatter: (item) => item.data?.tip ?? "",
      ...option.tooltip,
    },
    xAxis: option.xAxis && axis(option.xAxis, true, width, colours),
    yAxis: option.yAxis && axis(option.yAxis, false, width, colours),
    series: (option.series ?? []).map((series) => ({
      label: text(colours),
      emphasis: { focus: "none", itemStyle: { opacity: 0.8 } },
      ...(series.type === "bar" ? { itemStyle: { borderRadius: 2, ...series.itemStyle } } : {}),
      ...series,
    })),
  });

  // ---- Drawing -----------------------------------------------------------------------------------------------------

  let loading;
  const library = () => {
    loading ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = document.querySelector("meta[name=echarts]").content;
      script.addEventListener("load", done);
      script.addEventListener("error", failed);
      document.head.append(script);
    });
    return loading;
  };

  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) window.echarts.getInstanceByDom(target)?.resize();
  });

  const draw = (element) => {
    const given = JSON.parse(document.getElementById(element.dataset.plot).textContent);
    const colours = palette();
    const chart = window.echarts.getInstanceByDom(element) ?? window.echarts.init(element, null, { renderer: "svg" });
    chart.setOption(dressed(resolve(given, colours), element.dataset.title, element.clientWidth, colours), true);
    element.classList.add("plot-drawn");
    sizes.observe(element);
  };

  const plots = (within) => [...within.querySelectorAll("[data-plot]")];
  const drawAll = async (within) => {
    const found = plots(within);
    if (!found.length) return;
    try {
      await library();
      await document.fonts.ready;
      found.filter((element) => element.isConnected).forEach(draw);
    } catch {
      // The picture cannot be drawn: the table behind it says the same.
      for (const element of found) {
        element.classList.add("plot-drawn", "plot-failed");
        element.parentElement.querySelector("details.plot-table").open = true;
      }
    }
  };

  document.addEventListener("htmx:load", (event) => { if (event.detail.elt !== document.body) drawAll(event.detail.elt.parentElement ?? event.detail.elt); });
  document.addEventListener("htmx:beforeCleanupElement", (event) => {
    if (event.target.matches?.("[data-plot]")) window.echarts?.getInstanceByDom(event.target)?.dispose();
  });
  dark.addEventListener("change", () => { if (window.echarts) plots(document).forEach(draw); });
  window.addEventListener("beforeprint", () => { if (window.echarts) plots(document).forEach((each) => window.echarts.getInstanceByDom(each)?.resize()); });
  drawAll(document);
})();
