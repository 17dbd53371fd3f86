/**
 * A run that can stand still before and after every module. JavaScript cannot suspend a function that is called by
 * functions, so a run that is to stop is left by an exception and run again to go on: modules that have finished give what they
 * gave before and are not run, so that only the few operations between them are repeated. The numbers are those of an ordinary run,
 * bit for bit, and only what the rest of the run may need is held.
 */
import type { Storage } from "../backend/backend.ts";
import { untrack } from "../backend/scope.ts";
import { fail } from "../errors.ts";
import { type AnyModule, type Module, modulePaths, type Observer, withObserver } from "../nn/index.ts";
import { storagesOf } from "../nn/module.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Where a run stands still: before a module's forward, or after it. */
export type Phase = "before" | "after";

/** Where a run stands. Its tensors are valid until the run goes on. */
export interface Pause {
  /** Of the call: "0" the model's own, "0.2.1" the second call within its third. */
  readonly key: string;
  readonly phase: Phase;
  readonly module: AnyModule;
  /** Path of the module; "" is the whole model. */
  readonly path: string;
  /** Calls around this one; 0 for the model's own. */
  readonly depth: number;
  readonly inputs: readonly unknown[];
  /** Undefined before. */
  readonly output: unknown;
  /** What the module's forward named (`observe`), after it. */
  readonly observed: ReadonlyMap<string, Tensor>;
  /** Seconds that the module took, all below it included; 0 before. */
  readonly seconds: number;
}

/** Whether to stand still. */
export type Stops = (phase: Phase, path: string, depth: number) => boolean;

/** A call that is under way. */
interface Frame {
  readonly key: string;
  calls: number;
  /** Copies; made only where the run will stand still behind this call. */
  readonly observed: Map<string, Tensor>;
  readonly stops: boolean;
  /** Seconds of calls within that this time were taken from before. */
  earlier: number;
}

/** A call that has finished, while the one around it has not. */
interface Finished {
  output: unknown;
  readonly seconds: number;
}

/** Thrown to leave a run; never seen outside. */
const LEAVE = Symbol("leave");

/** One run of `model` on `inputs`. */
export class Stepper implements Observer {
  readonly #model: AnyModule;
  readonly #inputs: readonly unknown[];
  readonly #paths: ReadonlyMap<AnyModule, string>;
  /** Memory that is not the run's: inputs and parameters. */
  readonly #foreign: ReadonlySet<Storage>;
  /** Storages that finished calls hold, and by how many. */
  readonly #held = new Map<Storage, number>();
  /** Those of them that are no scope's any more, because a run that held them was left: this one's to release. */
  readonly #owned = new Set<Storage>();
  readonly #finished = new Map<string, Finished>();
  readonly #entered = new Set<string>();
  /** Memory of the pause at hand that nobody else owns. */
  #loose: Storage[] = [];
  #frames: Frame[] = [];
  #rootCalls = 0;
  #stops: Stops = () => false;
  #pause: Pause | undefined;
  #state: "running" | "done" | "closed" = "running";
  #result: unknown;

  constructor(model: AnyModule, inputs: readonly unknown[]) {
    this.#model = model;
    this.#inputs = inputs;
    this.#paths = modulePaths(model);
    const foreign = new Set<Storage>(storagesOf(inputs));
    for (const [, tensor] of model.namedTensors()) foreign.add(tensor.storage);
    this.#foreign = foreign;
  }

  /** Where the run stands; undefined before it began and after it ended. */
  get pause(): Pause | undefined {
    return this.#pause;
  }

  /** Whether the run has ended. */
  get done(): boolean {
    return this.#state === "done";
  }

  /** What the model gave, once the run has ended. Its memory is the caller's. */
  get result(): unknown {
    if (this.#state !== "done") fail("state", "Stepper.result", "a run that has ended", "one under way");
    return this.#result;
  }

  /** Goes on to the next place at which `stops` says so; undefined where the run ends first. */
  advance(stops: Stops): Pause | undefined {
    if (this.#state !== "running")
      fail("state", "Stepper.advance", "a run under way", `one that is ${this.#state}`);
    this.#forgetPause();
    this.#stops = stops;
    this.#rootCalls = 0;
    this.#frames = [];
    try {
      this.#result = withObserver(this, () =>
        (this.#model as unknown as Module<unknown[], unknown>).call(...this.#inputs),
      );
    } catch (error) {
      if (error === LEAVE) return this.#pause;
      this.close();
      throw error;
    }
    if (this.#pause) {
      const { path } = this.#pause as Pause;
      this.close();
      fail("state", `steps at ${path}`, "forwards that let pass what is thrown", "one that caught it");
    }
    this.#state = "done";
    this.#held.clear();
    this.#owned.clear(); // what is left is the result's
    return undefined;
  }

  /**
   * At a pause after a module, whose `key` it is: `output` in place of what it gave, for all that follows; of the same
   * structure, each tensor of the same shape and dtype. The run takes it over, and frees it.
   */
  replace(key: string, output: unknown): void {
    const pause = this.#pause;
    const finished = pause?.phase === "after" && pause.key === key ? this.#finished.get(key) : undefined;
    if (!pause || !finished) {
      const got =
        pause === undefined || pause.key === key ? (pause?.phase ?? "none") : "one that has gone on";
      fail("state", "replace", "a run that stands after the module", got);
    }
    for (const storage of storagesOf(output)) {
      untrack(storage);
      this.#loose = this.#loose.filter((other) => other !== storage);
      if (!this.#foreign.has(storage)) this.#owned.add(storage);
    }
    this.#hold(output);
    this.#letGo(finished.output);
    finished.output = output;
    this.#pause = { ...pause, output };
  }

  /** Ends the run where it stands, and frees what it holds. Nothing where it has ended. */
  close(): void {
    if (this.#state !== "running") return;
    this.#forgetPause();
    for (const storage of this.#owned) storage.release();
    this.#owned.clear();
    this.#held.clear();
    this.#finished.clear();
    this.#state = "closed";
  }

  // ---- Observer ----

  call(module: AnyModule, inputs: readonly unknown[], proceed: () => unknown): unknown {
    const around = this.#frames.at(-1);
    const number = around ? around.calls++ : this.#rootCalls++;
    const key = around ? `${around.key}.${number}` : String(number);
    const before = this.#finished.get(key);
    if (before) {
      if (around) around.earlier += before.seconds;
      return before.output;
    }
    const depth = this.#frames.length;
    const path = this.#paths.get(module) ?? module.kind;
    if (!this.#entered.has(key)) {
      this.#entered.add(key);
      if (this.#stops("before", path, depth)) {
        this.#leave({
          phase: "before",
          module,
          path,
          depth,
          inputs,
          output: undefined,
          observed: new Map(),
          seconds: 0,
          key,
        });
      }
    }
    const stops = this.#stops("after", path, depth);
    const frame: Frame = { key, calls: 0, observed: new Map(), stops, earlier: 0 };
    this.#frames.push(frame);
    const start = performance.now();
    let output: unknown;
    try {
      output = proceed();
    } catch (error) {
      for (const copy of frame.observed.values()) copy.dispose();
      throw error;
    } finally {
      this.#frames.pop();
    }
    const seconds = (performance.now() - start) / 1000 + frame.earlier;
    this.#hold(output);
    this.#finished.set(key, { output, seconds });
    for (let i = 0; i < frame.calls; i++) {
      const inner = this.#finished.get(`${key}.${i}`);
      this.#finished.delete(`${key}.${i}`);
      this.#entered.delete(`${key}.${i}`);
      if (inner) this.#letGo(inner.output);
    }
    if (stops) {
      this.#leave({
        phase: "after",
        module,
        path,
        depth,
        inputs,
        output,
        observed: frame.observed,
        seconds,
        key,
      });
    }
    return this.#finished.get(key)?.output;
  }

  value(name: string, tensor: Tensor): void {
    const frame = this.#frames.at(-1);
    if (!frame?.stops) return;
    frame.observed.get(name)?.dispose(); // of a name that comes again the last counts
    frame.observed.set(name, tensor.clone().keep());
  }

  // ---- memory ----

  #leave(pause: Pause): never {
    for (const storage of this.#held.keys()) if (untrack(storage)) this.#owned.add(storage);
    for (const storage of storagesOf(pause.inputs))
      if (!this.#foreign.has(storage) && untrack(storage)) this.#loose.push(storage);
    for (const copy of pause.observed.values()) this.#loose.push(copy.storage);
    this.#pause = pause;
    throw LEAVE;
  }

  #forgetPause(): void {
    this.#pause = undefined;
    for (const storage of this.#loose) storage.release();
    this.#loose = [];
  }

  #hold(output: unknown): void {
    for (const storage of new Set(storagesOf(output))) {
      if (!this.#foreign.has(storage)) this.#held.set(storage, (this.#held.get(storage) ?? 0) + 1);
    }
  }

  #letGo(output: unknown): void {
    for (const storage of new Set(storagesOf(output))) {
      const count = this.#held.get(storage);
      if (count === undefined) continue;
      if (count > 1) this.#held.set(storage, count - 1);
      else {
        this.#held.delete(storage);
        if (this.#owned.delete(storage)) storage.release();
      }
    }
  }
}
