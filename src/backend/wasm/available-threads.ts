/**
 * How many threads this process may keep busy: the operating system's count, which knows of affinity and cpusets, cut by
 * a container's CPU quota, which it does not know of.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/**
 * At least 1. Reads the CPU quota of cgroup v2 (`cpu.max`: quota and period in microseconds) and v1
 * (`cpu.cfs_quota_us`, `cpu.cfs_period_us`) where `read` finds them: the least of our group's and its parents'. A part
 * of a CPU counts as one: threads that share a quota stop together when it is used up, so the last part is not lost.
 */
export function availableThreads(
  parallelism: number = availableParallelism(),
  read: (path: string) => string | undefined = readText,
): number {
  const groups = read("/proc/self/cgroup") ?? "";
  // v1 and v2 may be mounted side by side, but only one of them has the CPU controller.
  const v2 = leastUpFrom(/^0::(\/.*)$/m.exec(groups)?.[1], (group) => {
    const [quota, period] = (read(`/sys/fs/cgroup${group}/cpu.max`) ?? "").split(/\s+/);
    return cpusOf(quota, period);
  });
  const v1 = leastUpFrom(/^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(\/.*)$/m.exec(groups)?.[1], (group) => {
    const root = `/sys/fs/cgroup/cpu${group}`;
    return cpusOf(read(`${root}/cpu.cfs_quota_us`), read(`${root}/cpu.cfs_period_us`));
  });
  return Math.max(1, Math.min(parallelism, Math.ceil(Math.min(v2, v1))));
}

/**
 * The least of a group's and its parents' CPUs, infinite without any. In a container our group may not be below the
 * mounted tree, whose root is then the container's own group: it is always looked at.
 */
function leastUpFrom(own = "/", cpusAt: (group: string) => number | undefined): number {
  let least = Number.POSITIVE_INFINITY;
  for (let group = own.replace(/\/+$/, ""); ; group = group.slice(0, group.lastIndexOf("/"))) {
    least = Math.min(least, cpusAt(group) ?? least);
    if (group === "") return least;
  }
}

/** CPUs of a quota; undefined where there is none ("max", -1, no file). */
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
