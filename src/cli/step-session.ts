/** A run and a place in it: the moves of `mobiledetr step`, its breakpoints, and the trace that it compares with. */
import { readTraceFile, type TraceFile } from "../conformance/trace-file.ts";
import { fail } from "../errors.ts";
import type { Step, Steps } from "../inspect/index.ts";
import { checkModulePath } from "./module-path.ts";
import { printable } from "./printable.ts";
import { differences } from "./step-diff.ts";
import { setPart } from "./step-set.ts";
import { type SessionLooks, showPlace } from "./step-show.ts";

/** What it does returns what there is to say. */
export class StepSession {
  readonly looks: SessionLooks;
  /** Of all modules of the network. */
  readonly paths: readonly string[];
  readonly #begin: () => Steps<unknown>;
  #steps: Steps<unknown>;
  #iterator: AsyncGenerator<Step, void, undefined>;
  #step: Step | undefined;
  #trace: TraceFile | undefined;
  #over = false;
  #ended = false;
  #interrupted = false;

  /** `begin` makes a run of a network with modules at `paths`, without breakpoints: it is to stand at its beginning. */
  constructor(begin: () => Steps<unknown>, paths: readonly string[], looks: SessionLooks) {
    this.paths = paths;
    this.looks = looks;
    this.#begin = begin;
    this.#steps = begin();
    this.#iterator = this.#steps[Symbol.asyncIterator]();
  }

  /** Whether there is nothing more to do. */
  get over(): boolean {
    return this.#over;
  }

  /** Where the run stands; undefined where it has not begun or has ended. */
  get place(): Step | undefined {
    return this.#step;
  }

  /** {@link place}. Error of code "state" where it has ended. */
  get step(): Step {
    return (
      this.#step ?? fail("state", "step", "a run under way", "one that has ended", "restart it, or quit")
    );
  }

  /** The place again. */
  where(): string {
    return showPlace(this.step, this.looks, this.#trace);
  }

  /** Frees what the run holds. */
  async close(): Promise<void> {
    this.#over = true;
    await this.#iterator.return();
  }

  // ---- moves ----

  /** Begins the run; the first place. */
  start(): Promise<string> {
    return this.go(() => {});
  }

  /** From the beginning, with the breakpoints that there are and nothing changed. */
  async restart(): Promise<string> {
    const { breakpoints } = this;
    await this.#iterator.return();
    this.#step = undefined;
    this.#ended = false;
    this.#steps = this.#begin();
    this.#iterator = this.#steps[Symbol.asyncIterator]();
    const text = await this.start();
    for (const pattern of breakpoints) this.#steps.addBreakpoint(pattern); // earlier it would not stand at the beginning
    return text;
  }

  /** On, as `move` tells the step at which the run stands. */
  async go(move: (step: Step) => void): Promise<string> {
    if (this.#ended) fail("state", "step", "a run under way", "one that has ended", "restart it, or quit");
    if (this.#step) move(this.#step);
    this.#interrupted = false;
    const { value } = await this.#iterator.next();
    this.#step = value ?? undefined;
    if (this.#step) return `${this.#interrupted ? "interrupted\n" : ""}${this.where()}`;
    this.#ended = true;
    return "the run has ended: restart or quit";
  }

  /** A move that is under way ends at the next module. */
  interrupt(): void {
    this.#interrupted = true;
    this.#steps.interrupt();
  }

  /** On to a module, which does not come where the run is past it already, or where it never runs. */
  async goTo(path: string): Promise<string> {
    this.#check(path);
    const text = await this.go((step) => step.until(path));
    return this.#ended ? `${printable(path)} did not come; ${text}` : text;
  }

  // ---- breakpoints ----

  get breakpoints(): readonly string[] {
    return this.#steps.breakpoints;
  }

  /** Adds one, where a path is given; all that there are. */
  breakAt(path: string): string {
    if (path !== "") {
      this.#check(path);
      this.#steps.addBreakpoint(path);
    }
    return this.breakpoints.length > 0
      ? this.breakpoints.map((pattern) => `  ${printable(pattern)}`).join("\n")
      : "no breakpoints";
  }

  /** Takes one away; those that are left. */
  unbreak(path: string): string {
    if (!this.#steps.removeBreakpoint(path))
      fail("argument", "delete", "a breakpoint that is there", path, "see break");
    return this.breakAt("");
  }

  #check(path: string): void {
    checkModulePath(path, { where: "path", paths: this.paths, patterns: true });
  }

  // ---- changing, comparing ----

  /** Changes a part of the output. */
  set(text: string): string {
    setPart(this.step, text);
    return this.where();
  }

  /** From here on outputs are compared with a trace. */
  diff(path: string): string {
    this.#trace = readTraceFile(path);
    const lines = this.#step ? differences(this.#step, this.#trace, this.looks.paint) : [];
    return [`${printable(path)}: ${this.#trace.tensors.size} tensors`, ...lines].join("\n");
  }
}
