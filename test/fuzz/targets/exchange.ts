/** What a program under test answers: lines of JSON, response.json, outputs.safetensors. Whatever it writes fails its case alone. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { Exchange, parseSaid } from "../../../src/conformance/adapters/exchange.ts";
import type { RunRequest } from "../../../src/conformance/runtime.ts";
import { concat, le, mutate } from "../bytes.ts";
import type { Random } from "../random.ts";
import { type Outcome, promise, type Target } from "../target.ts";
import { safetensors } from "./safetensors.ts";

const utf8 = new TextEncoder();

const said = fc.oneof(
  fc.record(
    {
      status: fc.oneof(fc.constantFrom("done", "failed", "unsupported"), fc.anything()),
      message: fc.oneof(fc.string(), fc.anything()),
      seconds: fc.oneof(fc.double(), fc.anything()),
    },
    { requiredKeys: [] },
  ),
  fc.json().map((text): unknown => JSON.parse(text)),
);

/** The length of response.json, then that, then outputs.safetensors. */
function make(random: Random): Uint8Array {
  const [value] = fc.sample(said, { seed: random.word() | 0, numRuns: 1 });
  let response: Uint8Array;
  try {
    response = utf8.encode(JSON.stringify(value) ?? "");
  } catch {
    response = utf8.encode("[".repeat(random.below(20_000))); // bigints have no JSON
  }
  if (random.once(2))
    response = random.once(2) ? utf8.encode('{"status":"done","seconds":1}') : new Uint8Array(0);
  if (random.once(4)) response = mutate(random, response, response);
  return concat(le(response.length, 4), response, safetensors.make(random));
}

let folder: string | undefined;

function run(bytes: Uint8Array): Outcome {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), "mobiledetr-fuzz-"));
    folder = made;
    process.once("exit", () => rmSync(made, { recursive: true, force: true }));
  }
  const length = bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const response = bytes.subarray(4, 4 + length);
  rmSync(join(folder, "response.json"), { force: true });
  if (response.length > 0) writeFileSync(join(folder, "response.json"), response);
  writeFileSync(join(folder, "outputs.safetensors"), bytes.subarray(4 + length));
  const request = { id: "L0/a/b", outputs: ["a", "b"], inputs: new Map(), parameters: new Map() };
  const exchange = new Exchange();
  try {
    const answer = exchange.read(folder, 1, request as unknown as RunRequest);
    promise(["done", "failed", "unsupported"].includes(answer.status), () => `status ${answer.status}`);
    if (answer.status === "done") return "read";
    promise(
      typeof answer.message === "string" && answer.message.length < 6000,
      () => `a message of ${answer.message.length}`,
    );
    promise(
      !/^(Cannot read|Maximum call|Invalid array)|is not (a|iterable)/.test(answer.message),
      () => answer.message,
    );
    let value: unknown;
    try {
      value = JSON.parse(new TextDecoder().decode(response));
    } catch {
      return "format";
    }
    parseSaid(value);
    return "format";
  } finally {
    exchange.close();
  }
}

/** Answers of programs under test. */
export const exchange: Target = {
  name: "exchange",
  weight: 4,
  make,
  run,
  memoryBound: (length) => (16 << 20) + 64 * length,
};
