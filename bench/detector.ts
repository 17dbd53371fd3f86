/**
 * The side-by-side benchmark: the network alone, mobiledetr against onnxruntime-web and onnxruntime-node. See README.md.
 *
 *   npm run bench -- [--variant MobileNetV4ConvSmall,codes] [--sizes 640] [--threads 1,2] [--rounds 15] [--warmup 5]
 *                    [--peers ort-web,ort-node] [--cold 3] [--pause 100] [--node PATH] [--json FILE]
 *
 * Prints a Markdown table. Exit codes: 0 done, 1 some measurement failed (the others are still done), 2 wrong usage.
 */
import { existsSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { fail, messageOf } from "../src/errors.ts";
import { checkBuild } from "./build.ts";
import { openCase } from "./cases.ts";
import { CONTENDERS, type ContenderName } from "./contender.ts";
import { measure, type Plan } from "./measure.ts";
import { asJson, describeMachine, doubts, type Finding, findingOf, heading, table } from "./report.ts";

interface Options extends Omit<Plan, "threads"> {
  readonly models: readonly string[];
  readonly sizes: readonly number[];
  readonly threads: readonly number[];
  readonly json?: string;
}

const PEERS = fileURLToPath(new URL("node_modules", import.meta.url));

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      variant: { type: "string", default: "MobileNetV4ConvSmall" },
      sizes: { type: "string", default: "640" },
      threads: { type: "string", default: "1,2" },
      rounds: { type: "string", default: "15" },
      warmup: { type: "string", default: "5" },
      peers: { type: "string", default: "ort-web,ort-node" },
      cold: { type: "string", default: "3" },
      pause: { type: "string", default: "100" },
      node: { type: "string", default: process.execPath },
      json: { type: "string" },
    },
  });
  const { node, json } = values;
  return {
    models: list(values.variant),
    sizes: list(values.sizes).map((text) => whole("--sizes", text, 1)),
    threads: list(values.threads).map((text) => whole("--threads", text, 1)),
    rounds: whole("--rounds", values.rounds, 1),
    warmup: whole("--warmup", values.warmup, 0),
    peers: list(values.peers).map(peer),
    cold: whole("--cold", values.cold, 0),
    pauseMs: whole("--pause", values.pause, 0),
    node,
    json,
  };
}

function list(text: string): string[] {
  return text.split(",").filter((part) => part !== "");
}

function whole(option: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) fail("argument", option, `whole numbers >= ${least}`, text);
  return value;
}

function peer(text: string): ContenderName {
  const found = CONTENDERS.slice(1).find((name) => name === text);
  return found ?? fail("argument", "--peers", `some of ${CONTENDERS.slice(1).join(", ")}`, text);
}

/** Error "file" where a peer is wanted and none are installed. */
function checkPeers(peers: readonly ContenderName[]): void {
  if (peers.length > 0 && !existsSync(PEERS)) {
    fail("file", "bench/node_modules", "the peers, installed", "none", "run `npm ci --prefix bench`");
  }
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions();
    checkPeers(options.peers);
    checkBuild();
  } catch (error) {
    console.error(messageOf(error));
    return 2;
  }
  const { models, sizes, threads, json, ...plan } = options;
  const machine = describeMachine();
  const findings: Finding[] = [];
  let failed = false;
  for (const model of models) {
    for (const size of sizes) {
      for (const n of threads) {
        console.error(`${model} at ${size}, threads ${n} ...`);
        try {
          const benchCase = openCase(model, size);
          findings.push(findingOf(benchCase, n, await measure(benchCase, { ...plan, threads: n })));
        } catch (error) {
          console.error(messageOf(error));
          failed = true;
        }
      }
    }
  }
  if (findings.length > 0) {
    console.log(`${heading(machine, plan)}\n\n${table(findings)}`);
    for (const doubt of doubts(machine, plan, findings)) console.error(`warning: ${doubt}`);
    if (json) writeFileSync(json, asJson(machine, plan, findings));
  }
  return failed ? 1 : 0;
}

process.exitCode = await main();
