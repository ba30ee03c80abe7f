// Draws every [data-plot]: takes its option from the JSON beside it, puts in colours and formats, follows theme and size.
"use strict";
(() => {
  const language = document.documentElement.lang;
  const locale = { en: "en-GB", nl: "nl-NL", hr: "hr-HR" }[language] ?? language;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const TONES = ["tone1", "tone2", "tone3", "tone4", "tone5", "tone6"];
  const COLOURS = ["accent", "soft", "muted", "ink", "grid", "surface", "good", "good-soft", ...TONES];

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

  // The name of the vertical axis stands above it; a mark's label stands between the plot and that name.
  const room = (option) => {
    const named = Boolean(option.yAxis?.name);
    const marked = (option.series ?? []).some((series) => series.markLine);
    return { name: named && marked ? 26 : 12, top: 24 + (named ? 12 : 0) + (named && marked ? 14 : 0) };
  };

  const axis = (given, across, width, nameGap, colours) => {
    const valued = given.type === "value";
    return {
      nameGap,
      nameTextStyle: { ...text(colours), align: across ? "center" : "left" },
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

  const tooltip = (colours) => ({
    renderMode: "richText", // the HTML one writes inline styles, which the content security policy refuses
    confine: true,
    backgroundColor: colours["@ink"],
    borderWidth: 0,
    padding: [6, 10],
    textStyle: { ...text(colours), color: colours["@surface"] },
    formatter: (item) => item.data?.tip ?? "",
  });

  const row = (series, colours) => ({
    label: text(colours),
    emphasis: { focus: "none", itemStyle: { opacity: 0.8 } },
    ...series,
    ...(series.type === "bar" ? { itemStyle: { borderRadius: 2, ...series.itemStyle } } : {}),
  });

  const dressed = (option, title, width, colours) => {
    const { name, top } = room(option);
    const series = option.series ?? [];
    return {
      ...option,
      animation: !calm.matches,
      animationDuration: 300,
      textStyle: text(colours),
      color: TONES.map((tone) => colours[`@${tone}`]),
      aria: { enabled: true, label: { description: title }, decal: { show: series.filter(({ type }) => type === "bar").length > 1 } },
      grid: { left: 4, right: 12, top, bottom: option.xAxis?.name ? 30 : 8, containLabel: true, ...option.grid },
      tooltip: { ...tooltip(colours), ...option.tooltip },
      xAxis: option.xAxis && axis(option.xAxis, true, width, 28, colours),
      yAxis: option.yAxis && axis(option.yAxis, false, width, name, colours),
      series: series.map((each) => row(each, colours)),
    };
  };

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

  document.addEventListener("htmx:load", (event) => {
    const { elt } = event.detail;
    if (elt !== document.body) drawAll(elt.parentElement ?? elt);
  });
  document.addEventListener("htmx:beforeCleanupElement", (event) => {
    if (event.target.matches?.("[data-plot]")) window.echarts?.getInstanceByDom(event.target)?.dispose();
  });
  dark.addEventListener("change", () => { if (window.echarts) plots(document).forEach(draw); });
  drawAll(document);
})();
