/**
 * A run's verdict as one HTML page that needs nothing else: no network, no fonts, no images; light and dark; readable without
 * scripts and on paper. What is wrong comes first, with its cause; then the errors along the depth of each network.
 */
import type { CaseVerdict, Diagnosis, RunVerdict, TensorVerdict } from "../verdict.ts";
import { depthChart } from "./html-chart.ts";
import { PAGE_SCRIPT } from "./html-script.ts";
import { PAGE_STYLE } from "./html-style.ts";
import { escapeHtml as e } from "./html-text.ts";
import {
  type CaseStatus,
  countsOf,
  decibelText,
  divergenceLines,
  firstFailure,
  isBad,
  isOutside,
  LEVEL_NAMES,
  numberText,
  ranNone,
  relativeError,
  STATUSES,
  secondsText,
  shareText,
  summarise,
} from "./summary.ts";

/** The verdict as an HTML document. */
export function reportHtml(run: RunVerdict): string {
  const counts = countsOf(run.cases);
  const bad = run.cases.filter(({ status }) => isBad(status)).length;
  const none = ranNone(run.cases) ? "no cases were run" : "conforms";
  const title = `${bad === 0 ? none : `${bad} of ${run.cases.length} cases fail`}: ${run.runtime}`;
  return [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${e(title)}</title>`,
    `<style>${PAGE_STYLE}</style>`,
    "</head>",
    "<body>",
    '<a class="skip" href="#cases">Skip to the cases</a>',
    header(run, bad, counts),
    "<main>",
    firstSection(run),
    levelSection(run),
    caseSection(run),
    "</main>",
    footer(run),
    `<script>${PAGE_SCRIPT}</script>`,
    "</body>",
    "</html>",
    "",
  ].join("\n");
}

function header(run: RunVerdict, bad: number, counts: Readonly<Record<CaseStatus, number>>): string {
  const verdict = ranNone(run.cases) ? "No cases were run" : bad === 0 ? "Conforms" : "Does not conform";
  const tiles = STATUSES.filter((status) => counts[status] > 0).map(
    (status) => `<li class="tile s-${status}"><b>${counts[status]}</b> ${STATUS_NAMES[status]}</li>`,
  );
  return [
    `<header class="${bad > 0 ? "bad" : ranNone(run.cases) ? "none" : "good"}">`,
    `<p class="kicker">Conformance report</p>`,
    `<h1><span class="verdict">${verdict}</span> <span class="runtime">${e(run.runtime)}</span></h1>`,
    `<p class="meta">kit ${e(run.kit)} · ${e(dateText(run.started))} · ${secondsText(run.seconds)} · ${run.cases.length} cases</p>`,
    `<ul class="tiles">${tiles.join("")}</ul>`,
    "</header>",
  ].join("\n");
}

const STATUS_NAMES: Readonly<Record<CaseStatus, string>> = {
  error: "broke off",
  failed: "failed",
  "unexpected-pass": "passed unexpectedly",
  "expected-failure": "failed as expected",
  unsupported: "unsupported",
  passed: "passed",
};

function dateText(iso: string): string {
  return iso.replace("T", " ").replace(/(:\d\d)(\.\d+)?Z$/, "$1 UTC");
}

/** The failure to look at first. */
function firstSection(run: RunVerdict): string {
  const one = firstFailure(run);
  if (one === undefined) return "";
  const others = run.cases.filter(({ status }) => isBad(status)).length - 1;
  return [
    '<section class="first" aria-labelledby="first">',
    '<h2 id="first">Look here first</h2>',
    `<p class="where"><a href="#${anchorOf(one)}">${e(one.id)}</a> <span class="title">${e(one.title)}</span></p>`,
    findings(one),
    others > 0
      ? `<p class="more">${others} other ${others === 1 ? "case fails" : "cases fail"}. This is the lowest level that does: what is wrong here may spoil the rest.</p>`
      : "",
    "</section>",
  ].join("\n");
}

/** What is known of a failing case: the divergence and its likely causes. */
function findings(one: CaseVerdict): string {
  const lines = divergenceLines(one).map((line) => `<li>${labelled(line)}</li>`);
  const diagnoses = one.firstDivergence?.diagnoses ?? [];
  const causes = diagnoses.map((diagnosis, i) => cause(diagnosis, i));
  return [
    lines.length > 0 ? `<ul class="facts">${lines.join("")}</ul>` : "",
    causes.length > 0 ? `<ol class="causes">${causes.join("")}</ol>` : "",
  ].join("\n");
}

/** The word before the first colon stands out. */
function labelled(line: string): string {
  const at = line.indexOf(": ");
  if (at < 0 || at > 40) return e(line);
  return `<b>${e(capital(line.slice(0, at)))}:</b> ${e(line.slice(at + 2))}`;
}

function cause({ mistake, because, mend, explains }: Diagnosis, i: number): string {
  const share = Math.round(1000 * explains) / 10;
  const meter =
    mistake === "unknown"
      ? ""
      : `<span class="meter" role="img" aria-label="explains ${share} % of the difference"><i style="width:${share}%"></i></span>`;
  return [
    `<li class="${i === 0 ? "likely" : ""}">`,
    `<p class="name"><code>${e(mistake)}</code>${meter}</p>`,
    `<p>${e(capital(because))}.</p>`,
    `<p class="mend">${e(mend)}</p>`,
    "</li>",
  ].join("");
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function levelSection(run: RunVerdict): string {
  const shown = STATUSES.filter((status) => run.cases.some((one) => one.status === status));
  const rows = summarise(run.cases).map(({ level, total, counts, seconds }) => {
    const bar = [...shown]
      .reverse()
      .filter((status) => counts[status] > 0)
      .map((status) => `<i class="s-${status}" style="width:${(100 * counts[status]) / total}%"></i>`)
      .join("");
    const cells = shown.map(
      (status) =>
        `<td class="num${counts[status] > 0 && isBad(status) ? " off" : ""}">${counts[status] || "–"}</td>`,
    );
    return `<tr><th scope="row">L${level} <span class="title">${LEVEL_NAMES[level]}</span></th><td class="barcell"><span class="bar" aria-hidden="true">${bar}</span></td><td class="num">${total}</td>${cells.join("")}<td class="num">${secondsText(seconds)}</td></tr>`;
  });
  const heads = shown.map((status) => `<th scope="col" class="num">${STATUS_NAMES[status]}</th>`).join("");
  return [
    '<section aria-labelledby="levels">',
    '<h2 id="levels">By level</h2>',
    '<div class="scroll"><table class="levels">',
    `<thead><tr><th scope="col">level</th><th scope="col"><span class="hidden">shares</span></th><th scope="col" class="num">cases</th>${heads}<th scope="col" class="num">time</th></tr></thead>`,
    `<tbody>${rows.join("\n")}</tbody>`,
    "</table></div>",
    "</section>",
  ].join("\n");
}

function caseSection(run: RunVerdict): string {
  const levels = summarise(run.cases).map(
    ({ level }) => `<label><input type="checkbox" name="level" value="${level}" checked> L${level}</label>`,
  );
  const shown = STATUSES.filter((status) => run.cases.some((one) => one.status === status));
  const statuses = shown.map(
    (status) =>
      `<label><input type="checkbox" name="status" value="${status}" checked> ${STATUS_NAMES[status]}</label>`,
  );
  const order = [...run.cases].sort(
    (a, b) => Number(isBad(b.status)) - Number(isBad(a.status)) || a.level - b.level,
  );
  return [
    '<section aria-labelledby="cases">',
    '<h2 id="cases">Cases</h2>',
    '<form class="filters" hidden>',
    '<label class="search">Find <input type="search" name="text" placeholder="id, title, tensor, mistake"></label>',
    `<fieldset><legend>Level</legend>${levels.join("")}</fieldset>`,
    `<fieldset><legend>Result</legend>${statuses.join("")}</fieldset>`,
    '<output aria-live="polite"></output>',
    "</form>",
    ...order.map(caseBlock),
    "</section>",
  ].join("\n");
}

function anchorOf({ id }: CaseVerdict): string {
  return `case-${id.replace(/[^\w.-]+/g, "-")}`;
}

/** So many tensors of a case that passed are in the table; the others are in the chart. */
const MOST_ROWS = 12;
/** From so many tensors on there is a chart. */
const CHART_FROM = 4;

function caseBlock(one: CaseVerdict): string {
  const bad = isBad(one.status);
  const worst = worstOf(one.tensors);
  const size =
    worst?.metrics === undefined
      ? ""
      : `<span class="err" title="greatest relative error of its tensors">err ${numberText(relativeError(worst.metrics))}</span>`;
  const guess = one.firstDivergence?.diagnoses[0]?.mistake;
  const words = [
    one.id,
    one.title,
    one.message ?? "",
    one.firstDivergence?.name ?? "",
    ...(one.firstDivergence?.diagnoses ?? []).map((d) => d.mistake),
  ];
  return [
    `<details class="case s-${one.status}" id="${anchorOf(one)}" data-level="${one.level}" data-status="${one.status}" data-text="${e(words.join(" ").toLowerCase())}"${bad ? " open" : ""}>`,
    `<summary><span class="dot" aria-hidden="true"></span><span class="status">${STATUS_NAMES[one.status]}</span><span class="id">${e(one.id)}</span><span class="title">${e(one.title)}</span>${guess === undefined ? "" : `<code>${e(guess)}</code>`}${size}</summary>`,
    '<div class="body">',
    one.status === "passed" ? "" : findings(one),
    one.tensors.length >= CHART_FROM ? depthChart(one) : "",
    tensorTable(one),
    "</div>",
    "</details>",
  ].join("\n");
}

function worstOf(tensors: readonly TensorVerdict[]): TensorVerdict | undefined {
  let worst: TensorVerdict | undefined;
  for (const tensor of tensors) {
    if (tensor.metrics === undefined) continue;
    if (worst?.metrics === undefined || relativeError(tensor.metrics) > relativeError(worst.metrics))
      worst = tensor;
  }
  return worst;
}

/** The tensors that matter: all that are outside, the first around the divergence, and the worst of the others. */
function tensorTable({ tensors, firstDivergence }: CaseVerdict): string {
  if (tensors.length === 0) return "";
  const outside = tensors.filter(isOutside);
  const others = tensors.filter((tensor) => !isOutside(tensor));
  const byError = [...others].sort((a, b) => errorOf(b) - errorOf(a));
  const kept = new Set([...outside.slice(0, 4 * MOST_ROWS), ...byError.slice(0, MOST_ROWS)]);
  const first = tensors.findIndex(({ name }) => name === firstDivergence?.name);
  if (first > 0) kept.add(tensors[first - 1]);
  const rows = tensors
    .filter((tensor) => kept.has(tensor))
    .map((tensor) => row(tensor, tensor.name === firstDivergence?.name));
  const left = tensors.length - rows.length;
  return [
    '<div class="scroll"><table class="tensors">',
    '<thead><tr><th scope="col">tensor</th><th scope="col">result</th><th scope="col">error, relative</th><th scope="col" class="num">max abs</th><th scope="col" class="num">max rel</th><th scope="col" class="num">ulp</th><th scope="col" class="num">1 − cosine</th><th scope="col" class="num">SNR</th><th scope="col" class="num">outside</th><th scope="col">rule</th></tr></thead>',
    `<tbody>${rows.join("\n")}</tbody>`,
    "</table></div>",
    left > 0
      ? `<p class="more">${left} more ${left === 1 ? "tensor is" : "tensors are"} not in the table: those with less error${outside.length > 4 * MOST_ROWS ? ", and later victims" : ""}.</p>`
      : "",
  ].join("\n");
}

const errorOf = ({ metrics }: TensorVerdict): number => (metrics === undefined ? 0 : relativeError(metrics));

function row(tensor: TensorVerdict, first: boolean): string {
  const { name, mode, status, rule, metrics, note: said, conditioning } = tensor;
  const cells =
    metrics === undefined
      ? '<td></td><td class="num"></td><td class="num"></td><td class="num"></td><td class="num"></td><td class="num"></td><td class="num"></td>'
      : [
          `<td>${logBar(relativeError(metrics))}</td>`,
          `<td class="num">${numberText(metrics.maxAbs)}</td>`,
          `<td class="num">${numberText(metrics.maxRel)}</td>`,
          `<td class="num">${numberText(metrics.maxUlp)}</td>`,
          `<td class="num">${Number.isNaN(metrics.cosine) ? "–" : numberText(Math.max(0, 1 - metrics.cosine))}</td>`,
          `<td class="num">${decibelText(metrics.snr)}</td>`,
          `<td class="num">${shareText(metrics.outside)}</td>`,
        ].join("");
  const remarks = [said, conditioning === undefined ? undefined : `ill-conditioned: ${conditioning}`].filter(
    Boolean,
  );
  const note =
    remarks.length === 0
      ? ""
      : `<tr class="noterow"><td colspan="10"><span>${e(remarks.join("; "))}</span></td></tr>`;
  const kind = `t-${status}${first ? " diverges" : ""}${note === "" ? "" : " noted"}`;
  return `<tr class="${kind}"><th scope="row">${e(name).replaceAll(".", ".<wbr>")}${mode === "forced" ? ' <span class="mode">forced</span>' : ""}</th><td class="result">${status}</td>${cells}<td class="rule">${e(rule)}</td></tr>${note}`;
}

/** A bar on a scale from 1e-8 (a rounding of float32) to 1. */
function logBar(error: number): string {
  const width = error <= 0 ? 0 : Math.min(100, Math.max(2, (100 * (Math.log10(error) + 8)) / 8));
  const shown = numberText(error);
  return `<span class="logbar"><i style="width:${width.toFixed(1)}%"></i></span><span class="val">${shown}</span>`;
}

function footer(run: RunVerdict): string {
  return [
    "<footer>",
    "<p>The relative error is the root of the summed squares of the differences over that of the golden's values: 10<sup>−SNR/20</sup>. 1e-7 is one rounding of float32. <b>Chained</b>: every tensor is made from the runtime's own earlier ones, so errors add up. <b>Forced</b>: a module was fed with the golden's input, so what is wrong is its own doing.</p>",
    `<p>${e(run.runtime)} · kit ${e(run.kit)} · format ${run.format}</p>`,
    "</footer>",
  ].join("\n");
}
