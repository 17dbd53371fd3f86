/** A run's verdict as JUnit XML, which CI systems show: a suite for each level, a test for each case. */
import type { CaseVerdict, RunVerdict } from "../verdict.ts";
import { divergenceLines, LEVEL_NAMES, summarise } from "./summary.ts";

/** The verdict as an XML document. Unsupported cases and expected failures are skipped tests; the properties name the runtime. */
export function reportJunit(run: RunVerdict): string {
  const suites = summarise(run.cases).map(({ level, total, counts, seconds }) => {
    const name = `L${level} ${LEVEL_NAMES[level]}`;
    const skipped = counts.unsupported + counts["expected-failure"];
    const failures = counts.failed + counts["unexpected-pass"];
    const tests = run.cases.filter((one) => one.level === level).map(testCase);
    return [
      `  <testsuite name="${escapeXml(name)}" tests="${total}" failures="${failures}" errors="${counts.error}" skipped="${skipped}" time="${seconds.toFixed(3)}" timestamp="${escapeXml(run.started)}">`,
      "    <properties>",
      `      <property name="runtime" value="${escapeXml(run.runtime)}"/>`,
      `      <property name="kit" value="${escapeXml(run.kit)}"/>`,
      "    </properties>",
      ...tests,
      "  </testsuite>",
    ].join("\n");
  });
  const sum = (of: (one: CaseVerdict) => boolean): number => run.cases.filter(of).length;
  const failures = sum(({ status }) => status === "failed" || status === "unexpected-pass");
  const errors = sum(({ status }) => status === "error");
  const head = `<testsuites name="mobiledetr conform" tests="${run.cases.length}" failures="${failures}" errors="${errors}" time="${run.seconds.toFixed(3)}">`;
  return `${['<?xml version="1.0" encoding="UTF-8"?>', head, ...suites, "</testsuites>"].join("\n")}\n`;
}

function testCase(one: CaseVerdict): string {
  const parts = one.id.split("/");
  const name = parts.pop() ?? one.id;
  const open = `    <testcase classname="${escapeXml(parts.join("."))}" name="${escapeXml(name)}" time="${one.seconds.toFixed(3)}"`;
  const inner = verdictOf(one);
  return inner === undefined ? `${open}/>` : `${open}>\n      ${inner}\n    </testcase>`;
}

function verdictOf(one: CaseVerdict): string | undefined {
  const lines = divergenceLines(one);
  const [first = one.status] = lines;
  switch (one.status) {
    case "passed":
      return undefined;
    case "unsupported":
    case "expected-failure":
      return `<skipped message="${escapeXml(`${one.status}: ${first}`)}"/>`;
    case "error":
      return `<error message="${escapeXml(first)}" type="error">${escapeXml(lines.join("\n"))}</error>`;
    default: {
      const causes = (one.firstDivergence?.diagnoses ?? []).map(
        ({ mistake, because, mend }) => `${mistake}: ${because}\n  ${mend}`,
      );
      const guess = one.firstDivergence?.diagnoses[0]?.mistake;
      const message = guess === undefined ? first : `${guess}: ${first}`;
      const text = [one.title, ...lines, ...causes].join("\n");
      return `<failure message="${escapeXml(message)}" type="${one.status}">${escapeXml(text)}</failure>`;
    }
  }
}

/** Text and attribute values; characters that XML 1.0 cannot hold become the replacement character. */
function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
