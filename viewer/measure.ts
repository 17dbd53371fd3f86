/** What a call costs, by what the reader chose to see. */
import { bytesOf } from "./client.ts";
import { count, duration } from "./dom.ts";
import type { CallRecord } from "./protocol.ts";
import type { State } from "./state.ts";

/** The measures with their names. */
export const BARS: readonly (readonly [State["bar"], string])[] = [
  ["multiplyAdds", "multiply-adds"],
  ["seconds", "time"],
  ["bytes", "memory"],
];

/** A call's own, with all below it. */
export function measure(call: CallRecord, bar: State["bar"]): number {
  return bar === "bytes" ? bytesOf(call) : call[bar];
}

/** In words. */
export function measureText(amount: number, bar: State["bar"]): string {
  if (bar === "seconds") return duration(amount);
  if (bar === "bytes") return `${count(amount)}B`;
  return amount ? count(amount) : "–";
}
