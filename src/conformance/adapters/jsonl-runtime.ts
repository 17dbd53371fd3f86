/**
 * Any program as a runtime, one process for all cases: JSON, a line a message, on its standard input and output; tensors in
 * folders as in the other protocol (docs/conformance-protocol.md, "lines"). A program that dies, hangs or talks nonsense loses
 * the case at hand and is started again, a few times.
 */
import { basename } from "node:path";
import { fail, messageOf } from "../../errors.ts";
import { SUBJECT_KINDS } from "../manifest.ts";
import type { RunRequest, RunResponse, Runtime } from "../runtime.ts";
import { Exchange, PROTOCOL, parseSaid } from "./exchange.ts";
import { DEFAULT_TIMEOUT, type ProgramOptions } from "./folder-runtime.ts";
import { checkCommand, Program, within } from "./program.ts";

/** Options of {@link openLinesRuntime}. */
export interface LinesOptions extends ProgramOptions {
  /** How often the program may be started again in all; 3 unless said. */
  readonly restarts?: number;
}

const START_SECONDS = 60; // interpreters that load a framework take some
const SHUTDOWN_SECONDS = 5;
const MAX_LINE = 2 ** 20; // characters

/** What a program says of itself in its first line. */
interface Hello {
  readonly name: string;
  /** Kinds of subjects that it takes; all unless it tells. */
  readonly kinds?: readonly string[];
}

/** A message of the program, or why there will be none. */
type Heard =
  | { readonly message: Record<string, unknown> }
  | { readonly gone: string; readonly late?: boolean };

/** A running program that is talked to in lines. */
class Conversation {
  readonly #program: Program;
  readonly #heard: Heard[] = [];
  #wake: (() => void) | undefined;
  #rest = "";

  constructor(command: readonly string[]) {
    this.#program = new Program(command, true);
    this.#program.child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#take(text));
    void this.#program.ended.then(({ words }) => this.#put({ gone: `it ${words}${this.#program.stderr}` }));
  }

  #put(heard: Heard): void {
    this.#heard.push(heard);
    this.#wake?.();
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#line(line.trim());
    if (this.#rest.length <= MAX_LINE) return;
    this.#rest = "";
    this.#put({ gone: `a line of more than ${MAX_LINE} characters` });
  }

  /** Lines that are no JSON objects are a library's chatter, and are let pass. */
  #line(line: string): void {
    if (!line.startsWith("{")) return;
    try {
      this.#put({ message: JSON.parse(line) as Record<string, unknown> });
    } catch (error) {
      this.#put({ gone: `a line that is not JSON: ${line.slice(0, 200)} (${messageOf(error)})` });
    }
  }

  say(message: Readonly<Record<string, unknown>>): void {
    this.#program.child.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  /** The next message; `gone` also where none came in time. */
  async hear(seconds: number): Promise<Heard> {
    if (this.#heard.length === 0) {
      const came = new Promise<true>((resolve) => {
        this.#wake = () => resolve(true);
      });
      const inTime = await within(seconds, came);
      this.#wake = undefined;
      if (!inTime) return { gone: `it took more than ${seconds} s${this.#program.stderr}`, late: true };
    }
    return this.#heard.shift() ?? { gone: "it said nothing" };
  }

  /** Ends it: politely, then not. */
  async end(): Promise<void> {
    this.say({ type: "shutdown" });
    this.#program.child.stdin?.end();
    if (await within(SHUTDOWN_SECONDS, this.#program.ended)) return;
    await this.kill();
  }

  async kill(): Promise<void> {
    this.#program.kill();
    await this.#program.ended;
  }
}

/**
 * A program and its arguments as a runtime; resolves when it has said hello. Rejects with "argument" where there is no such
 * program, "state" where it does not speak the protocol.
 */
export async function openLinesRuntime(
  command: readonly string[],
  options: LinesOptions = {},
): Promise<Runtime> {
  checkCommand(command);
  const { timeout = DEFAULT_TIMEOUT, restarts = 3 } = options;
  const start = async (): Promise<{ talk: Conversation; hello: Hello } | string> => {
    const talk = new Conversation(command);
    talk.say({ type: "hello", protocol: PROTOCOL });
    const heard = await talk.hear(START_SECONDS);
    const hello = "message" in heard ? parseHello(heard.message) : heard.gone;
    if (typeof hello !== "string") return { talk, hello };
    await talk.kill();
    return hello;
  };
  const first = await start();
  if (typeof first === "string") {
    fail("state", basename(command[0]), `a hello of protocol ${PROTOCOL} on standard output`, first);
  }
  const { hello } = first;
  const exchange = new Exchange(options);
  let talk: Conversation | undefined = first.talk;
  let left = restarts;

  /** The case is lost; the next one gets a new process. */
  const lose = async (why: string, late = false): Promise<RunResponse> => {
    await talk?.kill();
    talk = undefined;
    return { status: "failed", message: why, ...(late && { late }) };
  };

  return {
    name: options.name ?? hello.name,
    async run(request: RunRequest): Promise<RunResponse> {
      const { kind } = request.subject;
      if (hello.kinds && !hello.kinds.includes(kind)) {
        return { status: "unsupported", message: `it takes no ${kind}` };
      }
      if (!talk) {
        if (left === 0) return { status: "failed", message: `given up after ${restarts} new starts` };
        left--;
        const again = await start();
        if (typeof again === "string") return { status: "failed", message: `when started again: ${again}` };
        talk = again.talk;
      }
      const folders = exchange.write(request);
      try {
        const begin = performance.now();
        talk.say({ type: "run", id: request.id, ...folders });
        const heard = await talk.hear(timeout);
        if ("gone" in heard) return await lose(heard.gone, heard.late);
        const { type, id } = heard.message;
        if (type !== "result" || id !== request.id) {
          const got = JSON.stringify(heard.message).slice(0, 200);
          return await lose(`expected a result for ${request.id}, got ${got}`);
        }
        const said = parseSaid(heard.message);
        if (typeof said === "string") return await lose(said);
        if (said.status !== "done") return { status: said.status, message: said.message };
        return exchange.read(folders.output, said.seconds ?? (performance.now() - begin) / 1000, request);
      } finally {
        exchange.remove(folders);
      }
    },
    async close(): Promise<void> {
      await talk?.end();
      talk = undefined;
      exchange.close();
    },
  };
}

function parseHello({ type, protocol, name, kinds }: Record<string, unknown>): Hello | string {
  if (type !== "hello") return `a message of type ${JSON.stringify(type) ?? "none"}`;
  if (protocol !== PROTOCOL) return `protocol ${JSON.stringify(protocol) ?? "none"}`;
  if (typeof name !== "string" || name === "") return "no name";
  if (kinds === undefined) return { name: name.slice(0, 200) };
  if (!Array.isArray(kinds) || !kinds.every((kind) => typeof kind === "string")) {
    return "kinds that are no list of words";
  }
  const odd = kinds.find((kind) => !(SUBJECT_KINDS as readonly string[]).includes(kind));
  if (odd !== undefined)
    return `the kind ${JSON.stringify(odd)}, which is none of ${SUBJECT_KINDS.join(", ")}`;
  return { name: name.slice(0, 200), kinds };
}
