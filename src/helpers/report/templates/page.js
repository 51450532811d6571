// What every page can do with scripts: tables that sort; and, in the plain rendering, pictures that open in full size,
// a choice of light or dark, and contents that show where the reader is. Without scripts nothing is missing but these.
(() => {
"use strict";

// A sign, digits that may stand in threes, a power or exponent, a percent sign; then the number must end.
const NUMBER = new RegExp("^[<>≤≥~≈]?\\s*([+−–-]?)" +
  "((?:\\d{1,3}(?:[,\u2009\u202f\u00a0]\\d{3})+|\\d+)(?:\\.\\d+)?|\\.\\d+)" +
  "(?:e([+−-]?\\d+)|\\^([+−-]?\\d+))?\\s*(%?)(?=$|[\\s(–…×])", "i");
const NOTHING = /^([–—-]|n\/a|)$/;  // cells without a value: always last

/** The number that a cell begins with: "94.83%" 0.9483, "0.792 (0.654–0.911)" 0.792, "12 of 40" 12; or null. */
function number(text) {
  const found = NUMBER.exec(text.trim());
  if (!found) return null;
  const [, sign, digits, exponent, power, percent] = found, plain = (part) => Number(part.replace("−", "-"));
  let value = Number(digits.replace(/[,\s]/g, ""));
  if (exponent) value *= 10 ** plain(exponent);
  if (power) value **= plain(power);
  return (percent ? value / 100 : value) * (sign && sign !== "+" ? -1 : 1);
}

/** Order the cells of a column, falling if `way` is -1: numbers if most are, else text; returns their old places. */
function order(cells, way, language) {
  const texts = cells.map((cell) => cell.trim()), filled = texts.filter((text) => !NOTHING.test(text));
  const numeric = filled.filter((text) => number(text) !== null).length * 2 > filled.length;
  const { compare } = new Intl.Collator(language, { numeric: true });
  const keys = texts.map((text) => {
    const value = numeric ? number(text) : null;
    return { text, value, kind: NOTHING.test(text) ? 2 : numeric && value === null ? 1 : 0 };
  });
  const before = (a, b) => a.kind - b.kind || way * (a.value === null ? compare(a.text, b.text) : a.value - b.value);
  return texts.map((_, place) => place).sort((a, b) => before(keys[a], keys[b]) || a - b);
}

if (typeof module !== "undefined") module.exports = { number, order };
if (typeof document === "undefined") return;

function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}

// ---- Tables ----

/** A cell's text, with 10 to the 47th as "10^47". */
function textOf(cell) {
  if (!cell.querySelector("sup")) return cell.textContent;
  const copy = cell.cloneNode(true);
  for (const raised of copy.querySelectorAll("sup")) raised.prepend("^");
  return copy.textContent;
}

function sortable(table) {
  const head = table.tHead && table.tHead.rows[table.tHead.rows.length - 1], body = table.tBodies[0];
  if (!head || table.tBodies.length !== 1 || body.rows.length < 3) return;
  if (table.matches(".no-sort") || table.closest(".claim-facts, .no-sort")) return;
  const single = (cell) => cell.colSpan * cell.rowSpan === 1;
  const whole = (row) => row.cells.length === head.cells.length && [...row.cells].every(single);
  if (![head, ...body.rows].every(whole)) return;  // what spans rows or columns has an order of its own
  const original = [...body.rows];
  [...head.cells].forEach((cell, column) => {
    if (!cell.textContent.trim() || cell.querySelector("a, button")) return;
    const button = make("button", "sort");
    button.type = "button";
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener("click", () => {
      const now = { ascending: "descending", descending: null }[cell.getAttribute("aria-sort")];
      for (const other of head.cells) other.removeAttribute("aria-sort");
      const next = now === undefined ? "ascending" : now;
      if (next) cell.setAttribute("aria-sort", next);
      const cells = original.map((row) => textOf(row.cells[column]));
      const places = order(cells, next === "descending" ? -1 : 1, document.documentElement.lang || undefined);
      body.append(...(next ? places.map((place) => original[place]) : original));
    });
  });
}

/** What scrolls sideways, and has nothing in it to go to, can be gone to by the keyboard itself. */
function reachable(room, name) {
  if (room.scrollWidth <= room.clientWidth || room.querySelector("a, button") || room.hasAttribute("tabindex")) return;
  room.tabIndex = 0;
  room.setAttribute("role", "region");
  room.setAttribute("aria-label", name);
}

// ---- Pictures of the plain rendering ----

function enlarger() {
  const dialog = make("dialog", "enlarged"), close = make("button", "enlarged-close", "Close");
  const room = make("div", "enlarged-room"), picture = make("img"), words = make("p", "enlarged-caption");
  close.type = "button";
  room.tabIndex = 0;
  room.setAttribute("role", "region");
  room.setAttribute("aria-label", "The picture in full size");
  dialog.setAttribute("aria-label", "Picture");
  room.append(picture);
  dialog.append(close, room, words);
  document.body.append(dialog);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  for (const image of document.querySelectorAll("figure img")) {
    if (image.closest("a, button")) continue;
    const button = make("button", "enlarge");
    button.type = "button";
    button.setAttribute("aria-haspopup", "dialog");
    button.title = "Open in full size";
    image.replaceWith(button);
    button.append(image);
    button.addEventListener("click", () => {
      const caption = image.closest("figure").querySelector(":scope > figcaption");
      [picture.src, picture.alt] = [image.currentSrc || image.src, image.alt];
      words.textContent = caption ? caption.textContent : "";
      dialog.showModal();
      room.scrollTo(0, 0);
      dialog.addEventListener("close", () => button.focus(), { once: true });
    });
  }
}

// ---- Light or dark, in the plain rendering ----

const THEMES = ["system", "light", "dark"];

function remembered() {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem("theme")) || "system";
  } catch { return "system"; }  // a page opened as a file may be denied a memory
}

function setTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

function themeSwitch() {
  const button = make("button", "theme-switch");
  let theme = remembered();
  const show = () => {
    button.textContent = `Colours: ${theme}`;
    setTheme(theme);
  };
  button.type = "button";
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    try { localStorage.setItem("theme", theme); } catch { /* this page alone remembers it */ }
    show();
  });
  show();
  const header = document.querySelector("header");
  if (header) header.append(button); else document.body.prepend(button);
}

// ---- Where the reader is, in the plain rendering's contents ----

function follow() {
  const links = new Map();
  for (const link of document.querySelectorAll("nav a[href^='#']")) {
    const heading = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (heading) links.set(heading, link);
  }
  let current = null;
  const watch = new IntersectionObserver(() => {
    const passed = [...links.keys()].filter((heading) => heading.getBoundingClientRect().top < innerHeight * 0.3);
    const link = links.get(passed.at(-1)) || null;
    if (link === current) return;
    if (current) current.removeAttribute("aria-current");
    current = link;
    if (!link) return;
    link.setAttribute("aria-current", "true");
    const nav = link.closest("nav"), place = link.getBoundingClientRect(), room = nav.getBoundingClientRect();
    if (nav.scrollHeight <= nav.clientHeight) return;
    if (place.top < room.top || place.bottom > room.bottom) nav.scrollTop += place.top - room.top - room.height / 2;
  }, { rootMargin: "9999999px 0px -70% 0px" });  // a heading changes where it passes the upper third, at whatever jump
  for (const heading of links.keys()) watch.observe(heading);
}

const plain = document.documentElement.dataset.rendering === "plain";
if (plain) setTheme(remembered());  // at once: before the page is painted, if the script stands in its head

function start() {
  for (const table of document.querySelectorAll("table")) {
    sortable(table);
    reachable(table.parentElement, table.caption ? table.caption.textContent.slice(0, 60) : "Table");
  }
  for (const text of document.querySelectorAll("pre")) reachable(text, "Text");
  for (const toggle of document.querySelectorAll(".quarto-color-scheme-toggle:not([aria-label])")) {
    toggle.setAttribute("aria-label", "Light or dark");  // Quarto's own has a picture alone
  }
  if (!plain) return;
  const contents = document.querySelector("nav.contents > details");
  if (contents && matchMedia("(max-width: 64rem)").matches) contents.open = false;  // a phone's first screen is for the text
  enlarger();
  themeSwitch();
  follow();
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start); else start();
})();
