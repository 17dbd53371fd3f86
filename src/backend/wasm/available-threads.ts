/** How many threads this process may keep busy: the operating system's count, cut by a container's CPU quota. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/**
 * At least 1. Reads the CPU quota of cgroup v2 (`cpu.max`: quota and period in microseconds) and v1
 * (`cpu.cfs_quota_us`, `cpu.cfs_period_us`), rounded up, where `read` finds them.
 */
export function availableThreads(
  parallelism: number = availableParallelism(),
  read: (path: string) => string | undefined = readText,
): number {
  const quota = quotaV2(read) ?? quotaV1(read) ?? Number.POSITIVE_INFINITY;
  return Math.max(1, Math.min(parallelism, Math.ceil(quota)));
}

/** CPUs allowed by cgroup v2: the least of our group's and its parents' quotas; undefined without any. */
function quotaV2(read: (path: string) => string | undefined): number | undefined {
  const own = /^0::(\/.*)$/m.exec(read("/proc/self/cgroup") ?? "")?.[1] ?? "/";
  let least: number | undefined;
  for (let path = own; ; path = path.slice(0, path.lastIndexOf("/"))) {
    const [quota, period] = (read(`/sys/fs/cgroup${path === "/" ? "" : path}/cpu.max`) ?? "").split(/\s+/);
    const cpus = cpusOf(quota, period);
    if (cpus !== undefined) least = Math.min(cpus, least ?? cpus);
    if (path === "" || path === "/") return least;
  }
}

/** CPUs allowed by cgroup v1; undefined without a quota (-1). */
function quotaV1(read: (path: string) => string | undefined): number | undefined {
  const own = /^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(\/.*)$/m.exec(read("/proc/self/cgroup") ?? "")?.[1] ?? "/";
  for (const path of [own === "/" ? "" : own, ""]) {
    const root = `/sys/fs/cgroup/cpu${path}`;
    const cpus = cpusOf(read(`${root}/cpu.cfs_quota_us`), read(`${root}/cpu.cfs_period_us`));
    if (cpus !== undefined) return cpus;
  }
  return undefined;
}

function cpusOf(quota: string | undefined, period: string | undefined): number | undefined {
  const cpus = Number(quota) / Number(period);
  return Number.isFinite(cpus) && cpus > 0 ? cpus : undefined;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // not Linux, or no such controller
  }
}
