/**
 * How far a long run is, on standard error: on a terminal a bar with rate and time left, elsewhere a line now and then. Plain
 * characters, no colours, few bytes: it is as good over a slow connection.
 */
import type { Terminal } from "./terminal.ts";

const REDRAW_MS = 100;
/** Without a terminal: seldom enough for a log, and a run that is short says nothing. */
const LINE_MS = 30_000;
const MOST_BAR = 24; // columns

/** Options of {@link Progress}. */
export interface ProgressOptions {
  /** How many there are; undefined where nobody knows. */
  readonly total?: number;
  /** False shows nothing at all. */
  readonly shown?: boolean;
  /** Milliseconds from any beginning. */
  readonly now?: () => number;
}

/** Counts what is done. */
export class Progress {
  readonly #terminal: Terminal;
  readonly #total: number | undefined;
  readonly #shown: boolean;
  readonly #now: () => number;
  readonly #start: number;
  #done = 0;
  #said: number;
  #detail = "";

  constructor(terminal: Terminal, { total, shown = true, now = () => performance.now() }: ProgressOptions) {
    this.#terminal = terminal;
    this.#total = total;
    this.#shown = shown && total !== 1;
    this.#now = now;
    this.#start = now();
    this.#said = terminal.interactive ? Number.NEGATIVE_INFINITY : this.#start;
  }

  /** One more is done. */
  step(): void {
    this.#done++;
    this.#show();
  }

  /** What is going on: seen on a terminal where there is room. */
  detail(text: string): void {
    this.#detail = text;
    if (this.#terminal.interactive) this.#show();
  }

  /** Takes the bar away. */
  close(): void {
    this.#terminal.progress(undefined);
  }

  #show(): void {
    const { interactive, columns } = this.#terminal;
    const now = this.#now();
    if (!this.#shown || now - this.#said < (interactive ? REDRAW_MS : LINE_MS)) return;
    this.#said = now;
    const seconds = (now - this.#start) / 1000;
    const rate = seconds > 0 ? this.#done / seconds : 0;
    const total = this.#total && Math.max(this.#total, this.#done); // files may have come meanwhile
    const parts = [total ? `${this.#done}/${total}` : `${this.#done} done`];
    if (rate > 0) {
      parts.push(`${rate < 10 ? rate.toFixed(rate < 1 ? 2 : 1) : rate.toFixed(0)}/s`);
      parts.push(total ? `${clock((total - this.#done) / rate)} left` : clock(seconds));
    }
    if (!interactive) {
      this.#terminal.note(`mobiledetr: ${parts.join(", ")}`);
      return;
    }
    const text = parts.join("  ");
    const share = total ? this.#done / total : 0;
    const room = Math.min(MOST_BAR, columns - text.length - 9);
    const filled = Math.round(share * room);
    const bar = total && room > 4 ? `[${"#".repeat(filled)}${".".repeat(room - filled)}] ` : "";
    const percent = total ? `${String(Math.floor(share * 100)).padStart(3)}% ` : "";
    this.#terminal.progress(`${percent}${bar}${text}${this.#detail && `  ${this.#detail}`}`);
  }
}

/** Seconds as 0:05, 12:34, 1:02:03. */
function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number): string => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
