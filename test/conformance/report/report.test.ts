/** Reports of one made-up run: everything that can be in a verdict, and what each form must do with it. */
import { describe, expect, it } from "vitest";
import { reportHtml } from "../../../src/conformance/report/html.ts";
import { parseJsonReport, reportJson } from "../../../src/conformance/report/json.ts";
import { reportJunit } from "../../../src/conformance/report/junit.ts";
import { numberText, secondsText, shareText } from "../../../src/conformance/report/summary.ts";
import { reportText } from "../../../src/conformance/report/text.ts";
import type { CaseVerdict, Metrics, RunVerdict, TensorVerdict } from "../../../src/conformance/verdict.ts";

const metrics = (snr: number, more: Partial<Metrics> = {}): Metrics => ({
  count: 10,
  maxAbs: 0.5,
  maxAbsAt: 3,
  worstAt: 3,
  maxRel: 0.25,
  maxUlp: 123456,
  cosine: 0.99,
  snr,
  outside: snr < 60 ? 0.125 : 0,
  nonFinite: 0,
  ...more,
});
const tensor = (
  name: string,
  status: TensorVerdict["status"],
  more: Partial<TensorVerdict> = {},
): TensorVerdict => ({
  name,
  mode: "chained",
  status,
  rule: "module",
  metrics: metrics(status === "outside" ? 20 : 120),
  ...more,
});
const one = (id: string, status: CaseVerdict["status"], more: Partial<CaseVerdict> = {}): CaseVerdict => ({
  id,
  level: Number(id[1]) as CaseVerdict["level"],
  title: `title of ${id}`,
  status,
  tensors: [],
  seconds: 0.5,
  ...more,
});

const nasty = `<script>alert("&'")</script>\u0007`;
const failed = one("L3/detector/small", "failed", {
  title: nasty,
  tensors: [
    tensor("model.0.conv0", "equal", {
      metrics: metrics(Number.POSITIVE_INFINITY, { maxAbs: 0, cosine: 1 }),
    }),
    tensor("model.0.layer1", "within"),
    tensor("model.0.layer2", "outside", {
      note: "worst at [0, 1]: got 6.5, expected 6",
      conditioning: "near ties",
    }),
    tensor("model.0.layer2", "outside", { mode: "forced" }),
    tensor("model.0.layer3", "missing", { metrics: undefined, note: "nothing given" }),
    tensor("model.0.layer4", "shape", {
      metrics: undefined,
      note: "got [1, 20, 20, 64], expected [1, 64, 20, 20]",
    }),
    tensor("model.1", "outside", {
      metrics: metrics(Number.NEGATIVE_INFINITY, { cosine: Number.NaN, nonFinite: 4 }),
    }),
  ],
  firstDivergence: {
    name: "model.0.layer2",
    culprit: {
      name: "model.0.layer2.uib_0",
      kind: "UIB(cin=8)",
      forced: tensor("model.0.layer2.uib_0", "outside"),
    },
    diagnoses: [
      {
        mistake: "relu-for-relu6",
        because: "ReLU stands for ReLU6: this explains all of the difference",
        mend: "Clip at 6.",
        explains: 1,
      },
      { mistake: "unknown", because: "no known mistake", mend: "Compare.", explains: 0 },
    ],
  },
});
const run: RunVerdict = {
  format: 1,
  runtime: `my <port> & "co"`,
  kit: "1.0",
  started: "2025-03-01T10:20:30.123Z",
  seconds: 192,
  cases: [
    one("L0/relu/values", "passed", { tensors: [tensor("output", "equal")] }),
    one("L0/topk/all", "unsupported", { message: "no topk" }),
    one("L1/AIFI/square", "expected-failure", { message: "fp16, until 2026" }),
    one("L2/narrow/neck", "error", { message: "the program ended with code 3" }),
    failed,
    one("L5/codes/cat", "unexpected-pass"),
  ],
};

describe("JSON", () => {
  it("comes back as it was, infinities and NaN included", () => {
    expect(parseJsonReport(reportJson(run))).toEqual(run);
  });
  it("holds no word that is not JSON", () => {
    expect(reportJson(run)).toContain('"snr": "-Infinity"');
    expect(reportJson(run)).not.toContain("null");
  });
  it("refuses what is no verdict", () => {
    expect(() => parseJsonReport("{")).toThrow("expected JSON");
    expect(() => parseJsonReport('{"format": 2, "cases": []}')).toThrow(
      "expected a verdict of format 1, got format 2",
    );
  });
});

describe("JUnit", () => {
  const xml = reportJunit(run);
  it("has a suite for each level and a test for each case, with the counts that they have", () => {
    expect(xml).toContain(
      '<testsuites name="mobiledetr conform" tests="6" failures="2" errors="1" time="192.000">',
    );
    expect(xml).toContain('<testsuite name="L0 operators" tests="2" failures="0" errors="0" skipped="1"');
    expect(xml).toContain('<testsuite name="L3 backbones and detectors" tests="1" failures="1"');
    expect(xml.match(/<testcase /g)).toHaveLength(6);
    expect(xml.match(/<skipped /g)).toHaveLength(2);
    expect(xml).toContain('<testcase classname="L0.relu" name="values" time="0.500"/>');
  });
  it("names the mistake in the failure's message", () => {
    expect(xml).toContain('<failure message="relu-for-relu6: first divergence: model.0.layer2');
    expect(xml).toContain("culprit: model.0.layer2.uib_0 (UIB(cin=8))");
  });
  it("escapes everything, and replaces what XML cannot hold", () => {
    expect(xml).toContain("my &lt;port&gt; &amp; &quot;co&quot;");
    expect(xml).toContain("&lt;script&gt;");
    expect(xml).not.toContain("\u0007");
    expect(xml).not.toMatch(/&(?!amp;|lt;|gt;|quot;)/);
  });
});

describe("text", () => {
  const text = reportText(run);
  it("tells failures by level with cause and mend, then the counts", () => {
    expect(text.indexOf("ERROR L2/narrow/neck")).toBeLessThan(text.indexOf("FAILED L3/detector/small"));
    expect(text).toContain("probably relu-for-relu6: ReLU stands for ReLU6");
    expect(text).toContain("mend: Clip at 6.");
    expect(text).toContain(
      "does not conform: 1 error, 1 failed, 1 unexpected-pass, 1 expected-failure, 1 unsupported, 1 passed",
    );
  });
  it("keeps to the width", () => {
    for (const line of reportText(run, { width: 80 }).split("\n")) {
      if (!/^(level|L\d)/.test(line)) expect(line.length, line).toBeLessThanOrEqual(80);
    }
  });
  it("says conforms of a run without failures, and shortens a long list", () => {
    expect(reportText({ ...run, cases: [run.cases[0]] })).toContain("conforms: 1 passed");
    const many = Array.from({ length: 30 }, (_, i) => one(`L0/x/${i}`, "failed"));
    expect(reportText({ ...run, cases: many })).toContain("... and 10 more: L0/x/20, L0/x/21,");
  });
});

describe("HTML", () => {
  const html = reportHtml(run);
  it("needs nothing from elsewhere", () => {
    expect(html).not.toMatch(/(src|href)=["'](?!#)/);
    expect(html).not.toMatch(/url\(|@import|https?:/);
  });
  it("escapes all that comes from the run", () => {
    expect(html).not.toContain("<script>alert");
    expect(html).toContain("&lt;script&gt;alert(&quot;&amp;&#39;&quot;)&lt;/script&gt;");
    expect(html.match(/<script>/g)).toHaveLength(1);
  });
  it("has the lowest failing level first, its cause, and a link to it", () => {
    const first = html.slice(html.indexOf("Look here first"), html.indexOf("By level"));
    expect(first).toContain('href="#case-L2-narrow-neck"');
    expect(html).toContain('id="case-L2-narrow-neck"');
    expect(html).toContain("ReLU stands for ReLU6: this explains all of the difference.");
  });
  it("does not say that what could do nothing conforms", () => {
    const none = { ...run, cases: [one("L0/x/1", "unsupported")] };
    expect(reportHtml(none)).toContain('<span class="verdict">No cases were run</span>');
    expect(reportText(none)).toContain("no cases were run: 1 unsupported");
  });
  it("is on paper light, with whole tables and all that fails open, whatever the screen shows", () => {
    const paper = html.slice(html.indexOf("@media print"), html.indexOf("</style>"));
    expect(paper).toMatch(/:root\{color-scheme:light;--bg:#fff;--card:#fff;--ink:#000/);
    expect(paper).toMatch(/\.scroll[^{]*\{overflow:visible\}/);
    expect(paper).toMatch(/\.s-failed[^{]*::details-content\{content-visibility:visible/);
    expect(html).toMatch(/addEventListener\("beforeprint"/);
  });
  it("draws the errors along the depth: dots, rings for forced, crosses for what has no numbers", () => {
    expect(html.match(/<circle class="chained/g)).toHaveLength(4);
    expect(html.match(/<circle class="forced out"/g)).toHaveLength(1);
    expect(html.match(/<path class="chained out"/g)).toHaveLength(2);
    expect(html).not.toMatch(/NaN|undefined/);
  });
  it("is closed where it is opened", () => {
    for (const tag of ["details", "table", "section", "svg", "ul", "ol", "figure"]) {
      expect(html.match(new RegExp(`<${tag}[ >]`, "g"))?.length, tag).toBe(
        html.match(new RegExp(`</${tag}>`, "g"))?.length,
      );
    }
  });
  it("can show a run of nothing, and a passing one without a first failure", () => {
    expect(reportHtml({ ...run, cases: [] })).toContain("No cases were run");
    const passing = reportHtml({ ...run, cases: [run.cases[0]] });
    expect(passing).toContain("Conforms");
    expect(passing).not.toContain("Look here first");
  });
});

describe("numbers in words", () => {
  it.each([
    [0, "0"],
    [1.2345e-7, "1.23e-7"],
    [0.0123, "0.0123"],
    [123456, "1.23e5"],
    [Number.NaN, "NaN"],
    [Number.NEGATIVE_INFINITY, "-inf"],
  ])("%d is %s", (x, text) => expect(numberText(x)).toBe(text));
  it("a share that is not 0 never reads as 0", () => expect(shareText(1e-6)).toBe("1.00e-4 %"));
  it("minutes from 60 s on", () =>
    expect([secondsText(0.5), secondsText(192)]).toEqual(["0.50 s", "3 min 12 s"]));
});
