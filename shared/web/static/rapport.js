// Behaviour of the frame: keyboard, dialogs, the command menu, announcements after a swap, drafts of forms.
"use strict";
(() => {
  const $ = (selector, within = document) => within.querySelector(selector);
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
  const language = document.documentElement.lang;

  // ---- Dialogs and menus -------------------------------------------------------------------------------------------

  const open = (id) => {
    const dialog = document.getElementById(id);
    if (!dialog || dialog.open) return;
    closeMenus();
    dialog.showModal();
    if (id === "commands") startCommands(dialog);
  };

  const closeMenus = (except) => {
    for (const menu of $$("details[data-menu][open]")) if (!except || !menu.contains(except)) menu.open = false;
  };

  document.addEventListener("click", (event) => {
    const target = event.target;
    closeMenus(target);
    const opener = target.closest("[data-open]");
    if (opener) return open(opener.dataset.open);
    if (target.closest("[data-close]")) return target.closest("dialog").close();
    if (target.closest("[data-dismiss]")) target.closest("[role=alert]").hidden = true;
    if (target.nodeName === "DIALOG") target.close(); // a click beside the sheet lands on the dialog itself
  });

  // ---- Command menu ------------------------------------------------------------------------------------------------

  const startCommands = (dialog) => {
    const input = $("input", dialog);
    input.value = "";
    filterCommands(dialog);
  };

  const choose = (dialog, option) => {
    for (const each of $$("[role=option]", dialog)) each.setAttribute("aria-selected", String(each === option));
    const input = $("input", dialog);
    if (option) input.setAttribute("aria-activedescendant", option.id);
    else input.removeAttribute("aria-activedescendant");
    option?.scrollIntoView({ block: "nearest" });
  };

  const visible = (dialog) => $$("[role=option]:not([hidden])", dialog);

  const filterCommands = (dialog) => {
    const text = $("input", dialog).value.trim();
    const words = text.toLocaleLowerCase(language).split(/\s+/);
    for (const option of $$("[role=option]:not([data-search])", dialog)) {
      const label = option.textContent.toLocaleLowerCase(language);
      option.hidden = !words.every((word) => label.includes(word));
    }
    const search = $("[data-search]", dialog);
    if (search) {
      search.hidden = !text;
      $("span", search).textContent = search.dataset.text.replace("{}", text);
      search.href = `${search.pathname}?q=${encodeURIComponent(text)}`;
      if (text) search.parentElement.append(search);
    }
    choose(dialog, visible(dialog)[0]);
  };

  const commands = document.getElementById("commands");
  commands?.addEventListener("input", () => filterCommands(commands));
  commands?.addEventListener("keydown", (event) => {
    const options = visible(commands);
    const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && options.length) {
      event.preventDefault();
      choose(commands, options[(at + step + options.length) % options.length]);
    } else if (event.key === "Enter" && options[at]) {
      event.preventDefault();
      options[at].click();
      commands.close();
    }
  });

  // ---- Shortcuts ---------------------------------------------------------------------------------------------------

  const typing = (target) => target.closest("input, textarea, select, [contenteditable]");
  let going = 0;

  const moveRow = (step) => {
    const rows = $$("[data-rows] tbody tr").filter((row) => $("a[href]", row));
    if (!rows.length) return false;
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    $("a[href]", rows[Math.min(rows.length - 1, Math.max(0, at + step))]).focus();
    return true;
  };

  const page = {
    "/": () => document.getElementById("search")?.select(),
    "?": () => open("shortcuts"),
    j: () => moveRow(1),
    k: () => moveRow(-1),
    g: () => { going = performance.now() + 1500; },
  };

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      return open("commands");
    }
    if (event.key === "Escape") {
      const menu = event.target.closest("details[data-menu][open]");
      closeMenus();
      if (menu) $("summary", menu).focus();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("dialog[open]")) return;
    const place = going > performance.now() && $(`[data-go="${CSS.escape(event.key)}"]`);
    going = 0;
    const own = $(`[data-key="${CSS.escape(event.key)}"]`); // a page's own shortcut: a link or button with data-key
    if (place || own) {
      event.preventDefault();
      (place || own).click();
    } else if (Object.hasOwn(page, event.key)) {
      event.preventDefault();
      page[event.key]();
    }
  });

  // ---- After a swap: say it, and put the focus where the change is -------------------------------------------------

  let announced = "";

  const announce = (text) => {
    announced = text;
    const announcer = document.getElementById("announcer");
    announcer.textContent = "";
    requestAnimationFrame(() => { announcer.textContent = text; });
  };

  document.addEventListener("htmx:load", (event) => {
    const fresh = event.detail.elt;
    if (fresh === document.body) return;
    const said = fresh.matches("[data-announce]") ? fresh : $("[data-announce]", fresh);
    const again = fresh.matches("[data-watch]") && said?.dataset.announce === announced;
    if (said && !again) announce(said.dataset.announce);
    const focus = fresh.matches("[data-focus]") ? fresh : $("[data-focus]", fresh);
    focus?.focus();
  });

  $("[data-focus]")?.focus();

  const failure = document.getElementById("failure");
  const tell = (text) => {
    $("p", failure).textContent = text;
    failure.hidden = false;
  };

  document.addEventListener("htmx:responseError", (event) => {
    if (event.target.closest("[data-watch]")) return;
    const part = event.target.closest("[data-failed]:not(#failure)");
    if (part) {
      part.textContent = part.dataset.failed;
      part.classList.add("later-failed");
      return;
    }
    const number = event.detail.xhr.getResponseHeader("X-Correlation-Id");
    tell(`${failure.dataset.failed} ${number ?? event.detail.xhr.status}`);
  });
  document.addEventListener("htmx:sendError", (event) => {
    if (!event.target.closest("[data-watch]")) tell(failure.dataset.offline);
  });

  // ---- A part that looks again by itself: its first child is shown when nobody has answered for a while ------------

  const SILENCE = 7000;
  let heard = performance.now();
  document.addEventListener("htmx:afterSwap", (event) => { if (event.target.closest("[data-watch]")) heard = performance.now(); });
  document.addEventListener("visibilitychange", () => { heard = performance.now(); }); // a hidden page looks less often
  setInterval(() => {
    for (const part of $$("[data-watch]")) part.firstElementChild.hidden = performance.now() - heard < SILENCE;
  }, 1000);

  // ---- The age of what is shown goes on counting -------------------------------------------------------------------

  const shown = new WeakMap();
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const relative = new Intl.RelativeTimeFormat(language, { style: "short" });

  const age = () => {
    const now = performance.now();
    for (const element of $$("[data-age]")) {
      if (!shown.has(element)) shown.set(element, now);
      const passed = (now - shown.get(element)) / 1000;
      const seconds = Number(element.dataset.age) + passed;
      const [unit, size] = units.find(([, length]) => seconds >= length) ?? units.at(-1);
      if (passed >= 5) element.textContent = relative.format(-Math.floor(seconds / size), unit);
    }
  };
  age();
  setInterval(age, 5000);

  // ---- A slider over days keeps a date field in step; without this script the field alone does it ------------------

  const named = new Intl.DateTimeFormat(language, { dateStyle: "long", timeZone: "UTC" });
  const dayOf = (range) => new Date(range.valueAsNumber * 86400e3);

  for (const slider of $$("[data-slider]")) {
    const field = document.getElementById(slider.dataset.slider);
    const range = $("input[type=range]", slider);
    const say = () => range.setAttribute("aria-valuetext", named.format(dayOf(range)));
    slider.hidden = false;
    say();
    range.addEventListener("input", () => {
      field.valueAsDate = dayOf(range);
      say();
    });
    field.addEventListener("input", () => {
      if (!field.value || !field.validity.valid) return;
      range.valueAsNumber = Math.round(field.valueAsNumber / 86400e3);
      say();
    });
  }

  // ---- Drafts: what was typed into a form with data-draft survives a session's end ---------------------------------

  const drafted = (form) => $$("input, textarea, select", form)
    .filter((field) => field.name && !["password", "hidden", "file", "submit"].includes(field.type));
  const value = (field) => (["checkbox", "radio"].includes(field.type) ? field.checked : field.value);

  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-draft]");
    if (!form) return;
    const values = drafted(form).map((field) => [field.name, field.type === "radio" ? field.value : "", value(field)]);
    sessionStorage.setItem(`draft ${form.dataset.draft}`, JSON.stringify({ values, at: location.pathname }));
  });

  const restore = (form) => {
    const kept = sessionStorage.getItem(`draft ${form.dataset.draft}`);
    if (!kept || $("[aria-invalid=true]", form)) return;
    for (const [name, choice, content] of JSON.parse(kept).values) {
      const field = drafted(form).find((each) => each.name === name && (each.type !== "radio" || each.value === choice));
      if (field && typeof content === "boolean") field.checked = content;
      else if (field && !field.value) field.value = content;
    }
  };

  // A draft is done with once another page than its own or the sign-in page has come up.
  for (const key of Object.keys(sessionStorage).filter((each) => each.startsWith("draft "))) {
    const form = $(`form[data-draft="${CSS.escape(key.slice(6))}"]`);
    if (form) restore(form);
    else if (!$("input[type=password]")) sessionStorage.removeItem(key);
  }
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-sign-out]")) sessionStorage.clear();
  });

  // ---- CSV of a table ----------------------------------------------------------------------------------------------

  const cell = (text) => {
    // A spreadsheet would run a text that begins like a formula; a negative number is none.
    const harmless = /^[=+\-@]/.test(text) && !/^-[\d.,]+$/.test(text) ? `'${text}` : text;
    return /[",\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-csv]");
    if (!button) return;
    const table = document.getElementById(button.dataset.csv);
    const lines = $$("tr", table).map((row) => [...row.cells].map((each) => cell(each.textContent.trim())).join(","));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`\ufeff${lines.join("\r\n")}\r\n`], { type: "text/csv" }));
    link.download = `${button.dataset.csv.replace(/-table$/, "")}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  });
})();
