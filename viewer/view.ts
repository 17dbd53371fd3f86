/** What views are given, and what they are. */
import type { Client, Run } from "./client.ts";
import type { CallRecord } from "./protocol.ts";
import type { Offered, Session } from "./session.ts";
import type { State } from "./state.ts";

/** The page, to a view. */
export interface App {
  readonly client: Client;
  readonly run: Run;
  readonly session: Session;
  /** Pictures that the page offers. */
  readonly offered: readonly Offered[];
  readonly state: Readonly<State>;
  /** The layer that is chosen. */
  readonly call: CallRecord;
  /** Changes what is shown; the address follows. */
  set(change: Partial<State>): void;
  /** To a layer. */
  go(call: CallRecord, change?: Partial<State>): void;
  /** Tells of an error. */
  fail(error: unknown): void;
}

/** A view of one run. */
export interface Shown {
  readonly root: HTMLElement;
  /** Draws what changed of the state. */
  update(): void | Promise<void>;
}
