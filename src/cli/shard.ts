/**
 * Which part of many sources this process does, when several share them without talking to each other: source s belongs to shard
 * hash(s) modulo n, s as it is written where it is found. Any list order and any machine gives the same parts.
 */
import { fail } from "../errors.ts";

/** Shard `index` of `count`, from 0. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

const MAX_SHARDS = 1_000_000;

/**
 * Where job managers say which of how many a process is: the index, the least index, the count. Kubernetes' Indexed Jobs do not tell
 * the count: the manifest has to, by COMPLETIONS.
 */
const MANAGERS = [
  {
    name: "Slurm",
    index: "SLURM_ARRAY_TASK_ID",
    first: "SLURM_ARRAY_TASK_MIN",
    count: "SLURM_ARRAY_TASK_COUNT",
  },
  { name: "AWS Batch", index: "AWS_BATCH_JOB_ARRAY_INDEX", count: "AWS_BATCH_JOB_ARRAY_SIZE" },
  { name: "Kubernetes", index: "JOB_COMPLETION_INDEX", count: "COMPLETIONS" },
] as const;

/** Reads "i/n", or "auto": what a job manager's variables say. Errors of code "argument". */
export function readShard(text: string, environment: Readonly<Record<string, string | undefined>>): Shard {
  if (text === "auto") return fromEnvironment(environment);
  const match = /^(\d{1,7})\/(\d{1,7})$/.exec(text);
  const [index, count] = match ? [Number(match[1]), Number(match[2])] : [0, 0];
  return checked("--shard", { index, count }, JSON.stringify(text));
}

function fromEnvironment(environment: Readonly<Record<string, string | undefined>>): Shard {
  for (const manager of MANAGERS) {
    const index = environment[manager.index];
    if (index === undefined) continue;
    const count = environment[manager.count];
    const first = "first" in manager ? (environment[manager.first] ?? "0") : "0";
    const said = `${manager.index}=${index}, ${manager.count}=${count ?? "(not set)"}`;
    if (![index, count ?? "", first].every((word) => /^\d{1,7}$/.test(word))) {
      fail("argument", "--shard auto", `whole numbers from ${manager.name}`, said, `set ${manager.count}`);
    }
    return checked("--shard auto", { index: Number(index) - Number(first), count: Number(count) }, said);
  }
  const wanted = MANAGERS.map(({ index, count }) => `${index} and ${count}`).join(", or ");
  return fail("argument", "--shard auto", wanted, "none of them set", "write --shard i/n");
}

function checked(where: string, shard: Shard, got: string): Shard {
  const { index, count } = shard;
  if (count >= 1 && count <= MAX_SHARDS && index >= 0 && index < count) return shard;
  return fail("argument", where, `i/n with 0 <= i < n <= ${MAX_SHARDS}`, got);
}

/** Whether a source belongs to a shard. */
export function isInShard(source: string, { index, count }: Shard): boolean {
  return fnv1a(source) % count === index;
}

/** FNV-1a of a text's UTF-8 bytes, 32 bits. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
