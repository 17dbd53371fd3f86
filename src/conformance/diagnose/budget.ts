/**
 * What a diagnosis may cost. Work is counted, not timed, so that the same evidence gets the same diagnoses on every machine,
 * however busy it is; time is only the emergency brake.
 */

/** Why a diagnosis ended before its last guess. */
export type Stop = "work" | "time";

/** Counts what a diagnosis does. */
export class Budget {
  #left: number;
  readonly #end: number;
  #stop: Stop | undefined;

  /** `work`, and not a guess more when `seconds` from now are over. */
  constructor(work: number, seconds: number) {
    this.#left = work;
    this.#end = performance.now() + 1000 * seconds;
  }

  /** Work that is left; below 0 where more was done than was allowed. */
  get left(): number {
    return this.#left;
  }

  /** Why something was refused; undefined: nothing was, but for what a reserve forbade. */
  get stop(): Stop | undefined {
    return this.#stop;
  }

  /** Whether so much more may be done, so that `reserve` is left. After a refusal for want of work or time nothing may. */
  allows(work: number, reserve = 0): boolean {
    if (performance.now() > this.#end) this.#stop = "time";
    else if (work > this.#left) this.#stop ??= "work";
    return this.#stop === undefined && work <= this.#left - reserve;
  }

  /** Counts what was done. */
  spend(work: number): void {
    this.#left -= work;
  }
}
