// The interactive figure of probability over time, in place of the static picture in #fig-probability. Without this
// script, without its data (probability-data.js, written by helpers.report.curves) and on paper, the static picture stays.
(() => {
"use strict";

const SHORT_S = 900, HOUR_S = 3600;  // up to here times are in seconds, as in the static picture; from here with hours
const SHORTEST_S = 12;  // that can be zoomed to: three frames
const AROUND_S = 600;  // shown around an event that is jumped to, at most
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];
const TOP = 1.25;  // of the linear axis; alarms lie above 1
const ALARM = [0.06, 0.16];  // from and to where an alarm's bar lies, in shares of the panel's height, from the top
const TICKS = { linear: [0, 0.5, 1], odds: [0.001, 0.01, 0.1, 0.5, 0.9, 0.99] };

// ---- What can be said without a page: tested by node ----

const limit = (value, low, high) => Math.min(Math.max(value, low), high);
const logit = (p) => Math.log(p / (1 - p));

/** Where a probability lies on the axis: 0 at its foot, 1 at its top; odds: an axis of log-odds. */
function height(p, floor, odds) {
  const clipped = limit(p, floor, 1 - floor);
  return odds ? (logit(clipped) - logit(floor)) / (logit(1 - 1e-6) - logit(floor)) : clipped / TOP;
}

/** The number of the sample at a time, or -1 where there is none: none before the first three frames are over. */
function sampleAt(row, frame, time) {
  const index = Math.floor((time - row.first_s) / frame + 1e-9);
  return index >= 0 && index < row.p.length ? index : -1;
}

function probability(p) {
  if (p < 1e-6) return "< 0.000001";
  return p < 0.01 ? String(Number(p.toPrecision(2))) : p.toFixed(3);
}

/** 754 s as "12:34", with hours as "1:02:03" where `long`. */
function clock(time, long) {
  const s = Math.floor(time + 1e-6), two = (n) => String(n).padStart(2, "0");
  const minutes = Math.floor(s / 60);
  return (long ? Math.floor(minutes / 60) + ":" + two(minutes % 60) : minutes) + ":" + two(s % 60);
}

/** What is at a time of a recording: the fields of the readout, [name, text]. */
function readout(row, frame, time) {
  const index = sampleAt(row, frame, time), within = ([from, to]) => from <= time && time < to;
  const seizure = row.seizures.find(within), alarm = row.alarms.find(within), long = row.duration_s >= HOUR_S;
  const wait = row.wait_s ? ` (known ${row.wait_s} s later)` : "";
  return [
    ["time", `${Number(time.toFixed(1))} s (${clock(time, long)})`],
    ["p_seizure", index < 0 ? "no sample here" : probability(row.p[index])],
    ["p_smooth", index < 0 ? "–" : probability(row.smooth[index]) + wait],
    ["threshold", probability(row.threshold)],
    ["annotated seizure", seizure ? (seizure[2] ? "yes, found" : "yes, missed") : "no"],
    ["alarm", alarm ? `yes${alarm[3] ? ", false" : ""} (known at ${clock(alarm[2], long)})` : "no"],
  ];
}

/** "1 seizure, 1 missed; 2 alarms, 1 false". */
function summary(row) {
  const count = (list, noun) => `${list.length || "no"} ${noun}${list.length === 1 ? "" : "s"}`;
  const missed = row.seizures.filter((s) => !s[2]).length, wrong = row.alarms.filter((a) => a[3]).length;
  return `${count(row.seizures, "seizure")}${missed ? `, ${missed} missed` : ""}; ` +
    `${count(row.alarms, "alarm")}${wrong ? `, ${wrong} false` : ""}`;
}

/** All seizures and alarms in order: {row, from, to, name}. */
function events(rows) {
  return rows.flatMap((row, number) => [
    ...row.seizures.map(([from, to, found]) => ({ row: number, from, to, name: found ? "seizure" : "missed seizure" })),
    ...row.alarms.map(([from, to, , wrong]) => ({ row: number, from, to, name: wrong ? "false alarm" : "alarm" })),
  ].sort((a, b) => a.from - b.from));
}

/** The part [from, to] of a recording after zooming by a factor about a time, within the recording. */
function zoomed([from, to], factor, about, duration) {
  const span = limit((to - from) * factor, Math.min(SHORTEST_S, duration), duration);
  return moved([about - (about - from) * span / (to - from), 0], 0, duration, span);
}

function moved([from, to], by, duration, span = to - from) {
  const start = limit(from + by, 0, duration - span);
  return [start, start + span];
}

/** The corners of a step line as flat x, y pairs; where samples lie closer than pixels, the extremes of each pixel. */
function outline(values, first, frame, [from, to], width, y) {
  const scale = width / (to - from), points = [];
  const start = limit(Math.floor((from - first) / frame), 0, values.length);
  const end = limit(Math.ceil((to - first) / frame), start, values.length);
  const x = (index) => (first + index * frame - from) * scale;
  if (frame * scale >= 1) {
    for (let i = start; i < end; i++) points.push(x(i), y(values[i]), x(i + 1), y(values[i]));
    return points;
  }
  for (let i = start; i < end;) {
    const pixel = Math.floor(x(i));
    let low = values[i], high = low, last = low;
    const entry = low;
    for (; i < end && Math.floor(x(i)) === pixel; i++) {
      last = values[i];
      if (last < low) low = last; else if (last > high) high = last;
    }
    points.push(pixel, y(entry), pixel, y(low), pixel, y(high), pixel, y(last));
  }
  return points;
}

/** The distance between labels of the time axis, at least `apart` pixels. */
function tickStep(span, width, apart) {
  return STEPS_S.find((step) => step / span * width >= apart) || STEPS_S.at(-1);
}

if (typeof module !== "undefined") {
  module.exports = { height, sampleAt, probability, clock, readout, summary, events, zoomed, moved, outline, tickStep };
}
if (typeof document === "undefined") return;

// ---- Drawing ----

function hatch(ctx, x, w, h, crossed) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, 0, w, h);
  ctx.clip();
  ctx.beginPath();
  for (let at = Math.floor((x - h) / 7) * 7; at < x + w + h; at += 7) {
    ctx.moveTo(at, h);
    ctx.lineTo(at + h, 0);
    if (!crossed) continue;
    ctx.moveTo(at, 0);
    ctx.lineTo(at + h, h);
  }
  ctx.stroke();
  ctx.restore();
}

/** Draw the part `view` of a recording into the box [x, y, w, h]; the same for the chart and the small rows. */
function panel(ctx, row, view, [left, top, w, h], small) {
  const scale = w / (view[1] - view[0]), x = (time) => (time - view[0]) * scale;
  const place = (span, least) => {  // what is narrower than `least` pixels stays in sight
    const from = Math.max(x(span[0]), -9), width = Math.max(Math.min(x(span[1]), w + 9) - from, least);
    return [Math.min(from, w - least), width];
  };
  const seen = (span) => span[1] > view[0] && span[0] < view[1];
  const seizures = row.seizures.filter(seen), alarms = row.alarms.filter(seen);
  ctx.save();
  ctx.translate(left, top);
  ctx.beginPath();
  ctx.rect(0, -1, w, h + 2);
  ctx.clip();
  ctx.fillStyle = colours.after;
  ctx.fillRect(x(row.duration_s), 0, w, h);
  for (const seizure of seizures) drawSeizure(ctx, place(seizure, 2), h, !seizure[2]);
  drawLines(ctx, row, view, w, h, small);
  const bar = small ? [1, 6] : [ALARM[0] * h, ALARM[1] * h];
  for (const alarm of alarms) drawAlarm(ctx, place(alarm, alarm[3] ? 5 : 2), bar, alarm[3]);
  for (const span of seizures) if (!span[2]) label(ctx, "× missed", place(span, 2), w, h, small);
  for (const span of alarms) if (span[3]) label(ctx, "? false", place(span, 5), w, h, small);
  ctx.restore();
}

function drawSeizure(ctx, [x, w], h, missed) {
  ctx.fillStyle = ctx.strokeStyle = colours.seizure;
  ctx.lineWidth = 1;
  ctx.globalAlpha = 0.2;
  ctx.fillRect(x, 0, w, h);
  ctx.globalAlpha = 0.75;
  if (w > 3) hatch(ctx, x, w, h, missed);
  ctx.strokeRect(x + 0.5, 0.5, w - 1, h - 1);
  ctx.globalAlpha = 1;
}

function drawLines(ctx, row, view, w, h, small) {
  const y = (p) => h - height(p, data.floor, state.odds) * h;
  const line = (points, colour, width) => {
    ctx.beginPath();
    for (let i = 0; i < points.length; i += 2) ctx.lineTo(points[i], points[i + 1]);
    ctx.strokeStyle = colour;
    ctx.lineWidth = width;
    ctx.stroke();
  };
  const steps = (values) => outline(values, row.first_s, data.frame_s, view, w, y);
  ctx.lineJoin = "round";
  if (!small) line(steps(row.p), colours.soft, 1);
  ctx.setLineDash([5, 4]);
  const end = (Math.min(row.duration_s, view[1]) - view[0]) / (view[1] - view[0]) * w;
  line([0, y(row.threshold), end, y(row.threshold)], colours.soft, small ? 0.7 : 1.2);
  ctx.setLineDash([]);
  line(steps(row.smooth), colours.ink, small ? 1 : 2);
}

function drawAlarm(ctx, [x, w], [top, foot], wrong) {
  ctx.fillStyle = wrong ? colours.paper : colours.alarm;
  ctx.fillRect(x, top, w, foot - top);
  if (!wrong) return;
  ctx.strokeStyle = colours.alarm;
  ctx.lineWidth = 1.5;
  ctx.strokeRect(x + 0.75, top + 0.75, w - 1.5, foot - top - 1.5);
}

/** Say in words, or where they do not fit by a sign, what is missed or false; in a small row beside the span. */
function label(ctx, words, [x, width], w, h, small) {
  ctx.font = `600 ${small ? 11 : 12}px system-ui, sans-serif`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  const text = small || ctx.measureText(words).width > width ? words[0] : words, long = ctx.measureText(text).width;
  const beside = x + width + 3 + long < w ? x + width + 3 : x - 3 - long;
  const at = small ? beside : limit(x + (width - long) / 2, 3, w - long - 3), y = small ? 6 : h * 0.26;
  ctx.fillStyle = colours.paper;
  ctx.globalAlpha = 0.85;
  ctx.fillRect(at - 2, y - 7, long + 4, 14);
  ctx.globalAlpha = 1;
  ctx.fillStyle = colours.ink;
  ctx.fillText(text, at, y);
}

// ---- The page: one figure, so one state ----

const state = { row: -1, view: [0, 1], cursor: null, odds: false }, colours = {}, part = {};
const BOX = { left: 44, right: 8, top: 6, bottom: 36 };  // around the panel, in the chart's canvas
let figure, data, rows, all, longest;

const current = () => rows[state.row];
const panelWidth = () => part.canvas.clientWidth - BOX.left - BOX.right;
const timeAt = (x) => state.view[0] + (x - BOX.left) / panelWidth() * (state.view[1] - state.view[0]);
const saidTime = (time) => clock(time, current().duration_s >= HOUR_S);

function make(tag, name, text, attributes = {}) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function button(text, name, act) {
  const element = make("button", "prob-button", text, { type: "button", ...(name && { "aria-label": name }) });
  element.addEventListener("click", act);
  return element;
}

/** Fit a canvas to its place and to the screen's pixels; return its context, width and height. */
function fit(canvas) {
  const ratio = window.devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
  const sizes = [Math.round(w * ratio), Math.round(h * ratio)], ctx = canvas.getContext("2d");
  if (canvas.width !== sizes[0] || canvas.height !== sizes[1]) [canvas.width, canvas.height] = sizes;
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, w, h);
  return [ctx, w, h];
}

let wanted = false, everything = true;

/** Draw at the screen's next frame: the chart and the chosen row, or all rows if `whole`. */
function redraw(whole) {
  everything = everything || whole;
  if (wanted) return;
  wanted = true;
  requestAnimationFrame(() => {
    wanted = false;
    if (part.body.hidden || !part.root.clientWidth) return;
    if (everything) readColours();
    for (const number of everything ? rows.keys() : [state.row]) drawRow(number);
    everything = false;
    drawChart();
    write();
  });
}

function readColours() {
  const style = getComputedStyle(part.root), ctx = part.probe.getContext("2d", { willReadFrequently: true });
  const read = (name) => style.getPropertyValue(`--prob-${name}`).trim();
  ctx.fillStyle = read("paper");
  ctx.fillRect(0, 0, 1, 1);
  const [r, g, b] = ctx.getImageData(0, 0, 1, 1).data;
  part.root.classList.toggle("prob-dark", 0.3 * r + 0.59 * g + 0.11 * b < 128);
  for (const name of ["ink", "soft", "line", "paper", "seizure", "alarm", "after"]) colours[name] = read(name);
}

function drawRow(number) {
  const [ctx, w, h] = fit(part.small[number].canvas);
  panel(ctx, rows[number], [0, longest], [0, 1, w, h - 2], true);
  if (number !== state.row) return;
  const [from, to] = state.view.map((time) => time / longest * w);
  ctx.strokeStyle = colours.ink;
  ctx.lineWidth = 1.5;
  ctx.strokeRect(from + 0.75, 0.75, Math.max(to - from - 1.5, 2), h - 1.5);
}

function drawChart() {
  const [ctx, width, high] = fit(part.canvas), w = width - BOX.left - BOX.right, h = high - BOX.top - BOX.bottom;
  ctx.font = "12px system-ui, sans-serif";
  probabilityAxis(ctx, w, h);
  timeAxis(ctx, w, BOX.top + h);
  panel(ctx, current(), state.view, [BOX.left, BOX.top, w, h], false);
  ctx.strokeStyle = colours.ink;
  ctx.lineWidth = 1;
  ctx.strokeRect(BOX.left - 0.5, BOX.top, 0, h + 0.5);
  ctx.strokeRect(BOX.left - 0.5, BOX.top + h + 0.5, w + 0.5, 0);
  ctx.fillStyle = colours.alarm;
  const x = BOX.left + (state.cursor - state.view[0]) / (state.view[1] - state.view[0]) * w;
  if (state.cursor !== null && x > BOX.left - 1 && x < BOX.left + w + 1) ctx.fillRect(x - 0.75, BOX.top, 1.5, h + 5);
  const [finger] = fingers.values();
  if (!finger || !finger.frames) return;
  ctx.globalAlpha = 0.2;
  ctx.fillRect(finger.start, BOX.top, finger.x - finger.start, h);
  ctx.globalAlpha = 1;
}

function probabilityAxis(ctx, w, h) {
  Object.assign(ctx, { lineWidth: 1, strokeStyle: colours.line, fillStyle: colours.ink });
  Object.assign(ctx, { textAlign: "right", textBaseline: "middle" });
  for (const p of TICKS[state.odds ? "odds" : "linear"]) {
    const y = Math.round(BOX.top + h - (state.odds ? height(p, data.floor, true) : p / TOP) * h) + 0.5;
    ctx.strokeRect(BOX.left, y, w, 0);
    ctx.fillText(state.odds ? String(p) : p.toFixed(1), BOX.left - 6, y);
  }
}

function timeAxis(ctx, w, y) {
  const [from, to] = state.view, seconds = longest <= SHORT_S, long = current().duration_s >= HOUR_S;
  const step = tickStep(to - from, w, long ? 75 : 50);
  Object.assign(ctx, { strokeStyle: colours.ink, textAlign: "center", textBaseline: "top" });
  for (let time = Math.ceil(from / step - 1e-9) * step; time <= to + 1e-6; time += step) {
    const x = BOX.left + (time - from) / (to - from) * w, text = seconds ? String(time) : clock(time, long);
    ctx.strokeRect(x, y, 0, 4);
    ctx.fillText(text, Math.min(x, BOX.left + BOX.right + w - ctx.measureText(text).width / 2), y + 6);
  }
  const unit = seconds ? "s" : long ? "h:min:s" : "min:s";
  ctx.fillText(`time in the recording (${unit})`, BOX.left + w / 2, y + 21);
}

/** Write the readout. */
function write() {
  const now = state.cursor === null ? null : readout(current(), data.frame_s, state.cursor);
  part.values.forEach((value, number) => {
    const text = now ? now[number][1] : number ? "–" : "point at the chart";
    if (value.textContent !== text) value.textContent = text;
  });
}

let speaking = 0;

/** Tell a screen reader; late, so that a key held down does not say everything in between. */
function say(text) {
  clearTimeout(speaking);
  speaking = setTimeout(() => { part.says.textContent = text; }, 250);
}

const saidView = () => say(`${current().name}, ${state.view.map(saidTime).join(" to ")}`);
const saidCursor = () => readout(current(), data.frame_s, state.cursor).map((pair) => pair.join(" ")).join(", ");

// ---- What a reader can do ----

function choose(number, quiet) {
  if (number === state.row || !rows[number]) return;
  state.row = number;
  Object.assign(state, { view: [0, current().duration_s], cursor: null });
  part.small.forEach(({ item }, other) => item.setAttribute("aria-selected", String(other === state.row)));
  const { item } = part.small[state.row], { list } = part;
  list.setAttribute("aria-activedescendant", item.id);
  // Not scrollIntoView, which may scroll the page as well.
  list.scrollTop = limit(list.scrollTop, item.offsetTop + item.offsetHeight - list.clientHeight, item.offsetTop);
  part.title.textContent = `${current().name}: ${summary(current())}; fold ${current().fold}`;
  part.place.setAttribute("aria-label", `Probability of seizure, ${part.title.textContent}`);
  if (!quiet) say(part.title.textContent);
  redraw(true);
}

function show(view) {
  state.view = view;
  redraw();
}

function zoom(factor, about) {
  const [from, to] = state.view, inside = state.cursor !== null && from <= state.cursor && state.cursor <= to;
  show(zoomed(state.view, factor, about ?? (inside ? state.cursor : (from + to) / 2), current().duration_s));
  if (about === undefined) saidView();
}

function pan(share) {
  show(moved(state.view, share * (state.view[1] - state.view[0]), current().duration_s));
  saidView();
}

function reset() {
  show([0, current().duration_s]);
  saidView();
}

function setAxis(odds) {
  state.odds = odds;
  part.axis.setAttribute("aria-pressed", String(odds));
  redraw(true);
}

function point(time) {
  state.cursor = limit(time, 0, current().duration_s);
  redraw();
}

/** Set the cursor to the middle of the next sample; at first to the middle of what is shown. */
function step(by) {
  const time = state.cursor === null ? (state.view[0] + state.view[1]) / 2 : state.cursor + by * data.frame_s;
  const { first_s: first, p, duration_s: duration } = current(), span = state.view[1] - state.view[0];
  const index = limit(Math.floor((time - first) / data.frame_s + 1e-9), 0, p.length - 1);
  point(first + (index + 0.5) * data.frame_s);
  if (state.cursor < state.view[0] || state.cursor > state.view[1]) {
    show(moved([state.cursor - span / 2, state.cursor + span / 2], 0, duration));
  }
  say(saidCursor());
}

/** Go to the next (1) or previous (-1) seizure or alarm, of this recording or another. */
function jump(way) {
  const here = state.cursor ?? (way > 0 ? -1 : Infinity);
  const after = (event) => (event.row === state.row ? event.from - here : event.row - state.row) * way > 1e-6;
  const target = way > 0 ? all.find(after) : all.findLast(after);
  if (!target) return say(`no ${way > 0 ? "later" : "earlier"} seizure or alarm`);
  if (target.row !== state.row) choose(target.row, true);
  const span = Math.min(state.view[1] - state.view[0], Math.max(AROUND_S, 4 * (target.to - target.from)));
  show(moved([(target.from + target.to - span) / 2, 0], 0, current().duration_s, span));
  point(target.from);
  say(`${target.name}, ${current().name}, ${saidCursor()}`);
}

function pause() {
  const on = figure.classList.toggle("prob-paused");
  part.picture.setAttribute("aria-pressed", String(on));
  part.body.hidden = on;
  for (const tool of part.tools) tool.disabled = on;
  if (!on) redraw(true);
}

const ACTS = {
  ArrowLeft: (event) => (event.shiftKey ? step(-1) : pan(-0.2)),
  ArrowRight: (event) => (event.shiftKey ? step(1) : pan(0.2)),
  ArrowUp: () => choose(state.row - 1),
  ArrowDown: () => choose(state.row + 1),
  "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), _: () => zoom(2),
  0: reset, Home: reset,
  n: () => jump(1), p: () => jump(-1), l: () => setAxis(!state.odds),
};
const { ArrowUp, ArrowDown } = ACTS;
const LIST_ACTS = { ArrowUp, ArrowDown, Home: () => choose(0), End: () => choose(rows.length - 1) };
const KEYS = "Keys in the chart: left and right move along, with Shift the cursor sample by sample; plus and minus " +
  "zoom; 0 or Home shows all of the recording; n and p go to the next and previous seizure or alarm; up and down " +
  "choose a recording; l changes the axis. Mouse: drag moves along, Shift and drag zooms to a part, Ctrl and wheel " +
  "or a double click zooms. Touch: one finger moves along, two zoom, a tap sets the cursor.";

function listenToKeys(element, acts) {
  element.addEventListener("keydown", (event) => {
    const act = acts[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act(event);
  });
}

// ---- Mouse and fingers: each that is down holds a time of the recording fast ----

const fingers = new Map();
const across = (event) => event.clientX - part.canvas.getBoundingClientRect().left;

function hold(far) {
  for (const finger of fingers.values()) Object.assign(finger, { time: timeAt(finger.x), far: finger.far || far });
}

function press(event) {
  if (event.button > 0) return;
  part.place.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, { x: across(event), start: across(event), frames: event.shiftKey });
  hold(fingers.size > 1);
}

function move(event) {
  const finger = fingers.get(event.pointerId), [one, two] = fingers.values(), duration = current().duration_s;
  if (!finger && event.pointerType === "mouse") point(timeAt(across(event)));
  if (!finger) return;
  finger.x = across(event);
  finger.far = finger.far || Math.abs(finger.x - finger.start) > 4;
  if (one.frames) return redraw();
  let span = state.view[1] - state.view[0];
  if (two) span = Math.abs(two.time - one.time) / Math.max(Math.abs(two.x - one.x), 10) * panelWidth();
  span = limit(span, Math.min(SHORTEST_S, duration), duration);
  if (finger.far) show(moved([one.time - (one.x - BOX.left) / panelWidth() * span, 0], 0, duration, span));
}

function lift(event) {
  const finger = fingers.get(event.pointerId);
  if (!fingers.delete(event.pointerId)) return;
  hold(true);
  if (event.type === "pointerup" && finger.frames && finger.far) {
    const [from, to] = [finger.time, timeAt(finger.x)].sort((a, b) => a - b);
    show(zoomed([from, to], 1, (from + to) / 2, current().duration_s));
  } else if (event.type === "pointerup" && !finger.far) {
    point(timeAt(across(event)));
    say(saidCursor());
  }
  redraw();
}

function wheel(event) {
  if (!event.ctrlKey && !event.metaKey) return;  // a wheel alone scrolls the page, as everywhere
  event.preventDefault();
  zoom(Math.exp(limit(event.deltaY, -60, 60) / 100), timeAt(across(event)));
}

// ---- Building it ----

function buildList() {
  part.list = make("ul", "prob-list", "", { role: "listbox", tabindex: 0, "aria-label": "Recordings" });
  part.small = rows.map((row, number) => {
    const item = make("li", "prob-row", "", { role: "option", id: `prob-row-${number}` });
    const canvas = make("canvas", "", "", { "aria-hidden": "true" });
    item.append(make("span", "prob-name", row.name), canvas, make("span", "prob-unseen", ` ${summary(row)}`));
    item.title = `${row.name}: ${summary(row)}`;
    item.addEventListener("click", () => choose(number));
    part.list.append(item);
    return { item, canvas };
  });
  listenToKeys(part.list, LIST_ACTS);
}

function buildChart() {
  part.place = make("div", "prob-place", "", { role: "application", tabindex: 0, "aria-describedby": "prob-keys" });
  part.canvas = make("canvas", "prob-canvas", "", { "aria-hidden": "true" });
  part.place.append(part.canvas);
  listenToKeys(part.place, ACTS);
  for (const [kind, act] of [["down", press], ["move", move], ["up", lift], ["cancel", lift]]) {
    part.place.addEventListener(`pointer${kind}`, act);
  }
  part.place.addEventListener("dblclick", (event) => zoom(0.5, timeAt(across(event))));
  part.place.addEventListener("wheel", wheel, { passive: false });
  part.fields = make("dl", "prob-readout");
  part.values = readout(rows[0], data.frame_s, 0).map(([name]) => {
    const pair = make("div"), value = make("dd");
    pair.append(make("dt", "", name), value);
    part.fields.append(pair);
    return value;
  });
}

function buildTools() {
  part.axis = button("Log-odds", "Axis of log-odds", () => setAxis(!state.odds));
  part.picture = button("Static picture", "", pause);
  part.picture.setAttribute("aria-pressed", "false");
  part.tools = [
    button("◂ Previous", "Previous seizure or alarm", () => jump(-1)),
    button("Next ▸", "Next seizure or alarm", () => jump(1)),
    button("−", "Zoom out", () => zoom(2)),
    button("+", "Zoom in", () => zoom(0.5)),
    button("All", "Show all of the recording", reset),
    part.axis,
  ];
  const bar = make("div", "prob-bar");
  bar.append(...part.tools, part.picture);
  return bar;
}

/** The key: what each mark means, drawn by the style sheet. */
function buildKey() {
  const list = make("ul", "prob-key");
  for (const [mark, text] of [
    ["found", "annotated seizure"], ["missed", "× missed seizure"], ["alarm", "alarm"], ["false", "? false alarm"],
    ["threshold", "threshold for an alarm"], ["p", "p_seizure of each sample"], ["smooth", "p_smooth"],
  ]) {
    const item = make("li");
    item.append(make("span", `prob-mark prob-mark-${mark}`), text);
    list.append(item);
  }
  return list;
}

function build() {
  const name = "Probability of seizure over time, interactive";
  part.root = make("div", "prob", "", { role: "group", "aria-label": name });
  part.body = make("div");
  part.title = make("p", "prob-title");
  part.says = make("div", "prob-unseen", "", { role: "status", "aria-live": "polite" });
  part.probe = make("canvas", "", "", { width: 1, height: 1 });
  const help = make("details", "prob-help");
  help.append(make("summary", "", "Keys, mouse and touch"), make("p", "", KEYS, { id: "prob-keys" }));
  const bar = buildTools();
  buildList();
  buildChart();
  part.body.append(part.list, part.title, part.place, part.fields, buildKey(), help);
  part.root.append(bar, part.body, part.says);
}

/** Redraw when the width or the colours change; a theme's style sheet may come a moment after its name. */
function watch() {
  const later = () => [0, 300].forEach((wait) => setTimeout(() => redraw(true), wait));
  new ResizeObserver(() => redraw(true)).observe(part.root);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", later);
  const changes = new MutationObserver(later), names = { attributeFilter: ["class", "data-theme", "data-bs-theme"] };
  for (const element of [document.documentElement, document.body]) changes.observe(element, names);
}

function start() {
  figure = document.getElementById("fig-probability");
  data = window.PROBABILITY;
  const caption = figure && figure.querySelector("figcaption");
  // The static picture, with what it lies in beside the caption; a layout that is not known keeps its picture.
  const still = caption && [...caption.parentNode.children].find((child) => child.matches("img, :has(img)"));
  if (!still || !data || !data.recordings.length) return;
  rows = data.recordings;
  all = events(rows);
  longest = Math.max(...rows.map((row) => row.duration_s));
  build();
  still.classList.add("prob-still");
  still.before(part.root);
  figure.classList.add("prob-on");
  choose(all.length ? all[0].row : 0, true);
  setAxis(data.log_odds);
  watch();
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start); else start();
})();
