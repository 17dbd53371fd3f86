/** What threads: "auto" stands for: the system's count under the quotas of cgroups, from files as they look there. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { availableThreads } from "../../../src/backend/wasm/available-threads.ts";

describe("availableThreads", () => {
  const files = (map: Record<string, string>) => (path: string) => map[path];

  it("is the system's count without a quota", () => {
    expect(availableThreads(8, files({}))).toBe(8);
    expect(
      availableThreads(8, files({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "max 100000\n" })),
    ).toBe(8);
  });

  it("is cut by the tightest cgroup v2 quota up the tree, rounded up, at least 1", () => {
    const at = (own: string, parent: string) =>
      files({
        "/proc/self/cgroup": "0::/a/b\n",
        "/sys/fs/cgroup/a/b/cpu.max": own,
        "/sys/fs/cgroup/a/cpu.max": parent,
      });
    expect(availableThreads(8, at("250000 100000\n", "max 100000\n"))).toBe(3);
    expect(availableThreads(8, at("max 100000\n", "200000 100000\n"))).toBe(2);
    expect(availableThreads(8, at("10000 100000\n", "max 100000\n"))).toBe(1);
    expect(availableThreads(2, at("800000 100000\n", "max 100000\n"))).toBe(2);
  });

  it("is cut by a cgroup v1 quota; -1 is none", () => {
    const at = (quota: string) =>
      files({
        "/proc/self/cgroup": "4:cpu,cpuacct:/docker/x\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": quota,
        "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
      });
    expect(availableThreads(8, at("150000\n"))).toBe(2);
    expect(availableThreads(8, at("-1\n"))).toBe(8);
  });

  it("is cut by the tightest cgroup v1 quota up the tree, whatever the names of the controllers beside cpu", () => {
    const at = (line: string, own: string, parent: string) =>
      files({
        "/proc/self/cgroup": `5:cpuset:/z\n${line}:/a/b\n0::/a/b\n`,
        "/sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us": own,
        "/sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us": "50000\n",
        "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": parent,
        "/sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
      });
    expect(availableThreads(8, at("4:cpu", "200000\n", "350000\n"))).toBe(4);
    expect(availableThreads(8, at("4:cpuacct,cpu", "200000\n", "300000\n"))).toBe(3);
    expect(availableThreads(8, at("4:cpu", "-1\n", "100001\n"))).toBe(2);
    expect(availableThreads(8, at("4:cpuset", "100000\n", "100000\n"))).toBe(8); // not the cpu controller's line
  });

  it("finds a container's own quota at the root of the mounted tree, wherever its group is said to be", () => {
    for (const own of ["/", "/docker/0123", "/../../kubepods/pod", "/a/"]) {
      const read = files({
        "/proc/self/cgroup": `0::${own}\n`,
        "/sys/fs/cgroup/cpu.max": "150000 100000\n",
      });
      expect(availableThreads(8, read), own).toBe(2);
    }
    expect(availableThreads(8, files({ "/sys/fs/cgroup/cpu.max": "150000 100000\n" }))).toBe(2); // no /proc
  });

  it("takes no quota from what it does not understand", () => {
    for (const text of ["", "\n", "max", "0 100000", "x 100000", "100000", "100000 0"]) {
      expect(availableThreads(8, files({ "/sys/fs/cgroup/cpu.max": text })), text).toBe(8);
    }
  });

  it("is never above the system's count, and no less than 1 where that is wrong", () => {
    const read = files({ "/sys/fs/cgroup/cpu.max": "800000 100000" });
    expect(availableThreads(2, read)).toBe(2);
    expect(availableThreads(0, read)).toBe(1);
  });

  it.runIf(process.platform === "linux" && existsSync("/usr/bin/taskset"))("follows the affinity", () => {
    const built = new URL("../../../lib/backend/wasm/available-threads.js", import.meta.url);
    const code = `import { availableThreads } from ${JSON.stringify(built.href)}; console.log(availableThreads())`;
    const words = ["-c", "0", process.execPath, "--input-type=module", "-e", code];
    expect(execFileSync("/usr/bin/taskset", words, { encoding: "utf8" })).toBe("1\n");
  });

  it("runs on this machine", () => {
    expect(availableThreads()).toBeGreaterThanOrEqual(1);
  });
});
