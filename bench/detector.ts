/**
 * The side-by-side benchmark: the network alone, mobiledetr against onnxruntime-web and onnxruntime-node. See README.md.
 *
 *   npm run bench -- [--variant MobileNetV4ConvSmall,codes] [--sizes 640] [--threads 1,2] [--rounds 15] [--warmup 5]
 *                    [--peers ort-web,ort-node] [--cold 3] [--picture FILE] [--pause 100] [--node PATH,PATH+revectorize]
 *                    [--revectorize] [--all] [--quick] [--json FILE [--resume]]
 *
 * Prints Markdown tables: what was measured, what it grows with, what threads bring. Exit codes: 0 done, 1 some measurement
 * failed (the others are still done), 2 wrong usage.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fail, messageOf } from "../src/errors.ts";
import { attempt } from "./arguments.ts";
import { checkBuild } from "./build.ts";
import { openCase } from "./cases.ts";
import type { ContenderName } from "./contender.ts";
import { growth, threading } from "./derived.ts";
import { type EngineOption, type Options, readOptions } from "./detector-options.ts";
import { measure } from "./measure.ts";
import {
  asJson,
  describeMachine,
  doubts,
  type Finding,
  fromJson,
  heading,
  type Machine,
  type Setup,
  table,
} from "./report.ts";

const PEERS = fileURLToPath(new URL("node_modules", import.meta.url));
const EMBEDDED = "codes"; // the model that has something to find in a picture

/** Error "file" where a peer is wanted and none are installed. */
function checkPeers(peers: readonly ContenderName[]): void {
  if (peers.length > 0 && !existsSync(PEERS)) {
    fail("file", "bench/node_modules", "the peers, installed", "none", "run `npm ci --prefix bench`");
  }
}

/** An engine by its version. Error "file" where there is none at the path. */
function labelOf({ node, revectorize }: EngineOption): string {
  try {
    const version = execFileSync(node, ["-p", "process.version"], { encoding: "utf8", stdio: "pipe" }).trim();
    return revectorize ? `${version}+revectorize` : version;
  } catch {
    return fail("file", "--node", "a Node that runs", node);
  }
}

/** What an earlier run with the same setup of the same commit has left in the file. */
function earlier({ json, resume }: Options, machine: Machine, setup: Setup): Finding[] {
  if (!resume || !json || !existsSync(json)) return [];
  const found = fromJson(readFileSync(json, "utf8"), json);
  const same =
    found.machine.commit === machine.commit && JSON.stringify(found.plan) === JSON.stringify(setup);
  if (!same) fail("state", json, "results of this commit with these options", "others", "leave out --resume");
  return found.findings;
}

async function main(): Promise<number> {
  const machine = describeMachine();
  const prepared = attempt(() => {
    const options = readOptions(process.argv.slice(2));
    const { peers, rounds, warmup, cold, pauseMs, picture } = options;
    const setup: Setup = { peers, rounds, warmup, cold, pauseMs, picture };
    checkPeers(peers);
    checkBuild();
    const engines = options.engines.map((engine) => ({ ...engine, label: labelOf(engine) }));
    return { options, setup, engines, findings: earlier(options, machine, setup) };
  });
  if (!prepared) return 2;
  const { options, setup, engines, findings } = prepared;
  const { cases, threads, coldSize, json } = options;
  let failed = false;
  for (const { model, size } of cases) {
    for (const { node, revectorize, label } of engines) {
      for (const n of threads) {
        const what = `${model} at ${size}, threads ${n}, ${label}`;
        if (
          findings.some(
            (f) => f.model === model && f.size[0] === size && f.threads === n && f.engine === label,
          )
        ) {
          console.error(`${what}: measured before`);
          continue;
        }
        console.error(`${what} ...`);
        try {
          const benchCase = openCase(model, size);
          const measured = await measure(benchCase, {
            ...setup,
            cold: coldSize === undefined || coldSize === size ? setup.cold : 0,
            picture: model === EMBEDDED ? setup.picture : undefined,
            threads: n,
            node,
            revectorize,
          });
          findings.push({ model, size: benchCase.size, threads: n, engine: label, measured });
          if (json) writeFileSync(json, asJson(machine, setup, findings));
        } catch (error) {
          console.error(messageOf(error));
          failed = true;
        }
      }
    }
  }
  if (findings.length > 0) {
    const tables = [heading(machine, setup), table(findings), growth(findings), threading(findings)];
    console.log(tables.filter((text) => text !== "").join("\n\n"));
    for (const doubt of doubts(machine, setup, findings)) console.error(`warning: ${doubt}`);
  }
  return failed ? 1 : 0;
}

process.exitCode = await main();
