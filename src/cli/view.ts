/** `mobiledetr view`: serves the page that looks inside a run, `dist/viewer`, on this machine alone. */
import { spawn } from "node:child_process";
import {
  closeSync,
  createReadStream,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, extname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { DEFAULT_MODEL } from "../choices.ts";
import { readTrace } from "../conformance/trace-read.ts";
import { embeddedYaml, readYaml } from "../detector/embedded.ts";
import { findModel, openWeights } from "../detector/model-files.ts";
import { describe, fail, MobileDetrError, messageOf } from "../errors.ts";
import { sniffFormat } from "../image/sniff.ts";
import { openFileSource } from "../weights/file-source.ts";
import type { Arguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { checkRunOptions, RUN_OPTIONS, seededWeights } from "./eager-network.ts";
import { EXIT_INTERRUPTED, EXIT_TERMINATED } from "./exit-codes.ts";
import { absolutePath, statusOf } from "./file-status.ts";
import { MODEL_OPTION, modelChoice } from "./model-options.ts";
import { printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Folders of the package that the page is made of; nothing else is served but the pictures. */
const FOLDERS = ["dist/viewer", "dist/browser", "models"];
const PAGE = "/dist/viewer/index.html";
const EXAMPLES = "examples/pictures"; // in a clone; the package has none
const HOST = "127.0.0.1";
const TRACE = /\.(safetensors|npz)$/i;
const TRACE_ADDRESS = "/trace";
const WEIGHTS_ADDRESS = "/weights";
const BYTES = "application/octet-stream";
const PORTS = 65536;
const HEAD_BYTES = 4096; // by which a format is told

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".jpg": "image/jpeg",
  ".yaml": "text/plain; charset=utf-8",
  ".md": "text/plain; charset=utf-8",
};
/** The first two isolate the page, so that its threads may share memory. */
const HEADERS: Readonly<Record<string, string>> = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Content-Security-Policy": "frame-ancestors 'none'", // no page of another site around it; the rest stands in the page
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-cache",
};

/** A picture that is served, under a number, whatever its name. */
interface Picture {
  readonly name: string;
  readonly path: string;
  readonly type: string;
}

/** A network to look into instead of the default one. */
export interface ViewedNetwork {
  readonly name: string;
  /** Its configuration; without one the name is a backbone's. */
  readonly yaml?: string;
  /** Its weights: a safetensors file's path, or its bytes. */
  readonly weights: string | Uint8Array;
}

/** What {@link startViewer} needs. */
export interface ViewerOptions {
  /** The package's folder; its own by default. */
  readonly root?: string;
  /** A picture or a trace (by its ending, .safetensors or .npz) to begin with. */
  readonly input?: string;
  readonly network?: ViewedNetwork;
  /** 0, the default, takes a free one. */
  readonly port?: number;
}

/** A server that runs. */
export interface Viewer {
  /** The page's address. */
  readonly url: string;
  /** Ends it, and the connections that are open. */
  close(): Promise<void>;
}

/** `mobiledetr view` */
export const viewCommand: Command = {
  name: "view",
  summary: "Look inside a run in a browser: layers, maps, attention, boxes.",
  description:
    "Serves a page on this machine alone and opens it. The network runs in the page, on the picture that is given or one that is dropped " +
    "there, and every number of it can be looked at. A trace, of `mobiledetr trace`, PyTorch's hooks or another runtime, is compared with " +
    "the network's run on the images in it. Nothing leaves the machine. Ctrl-C ends it.",
  positional: {
    name: "IMAGE|TRACE",
    help: "A JPEG, PNG, BMP or GIF picture to begin with, or a trace (.safetensors, .npz).",
    least: 0,
    most: 1,
  },
  options: [
    MODEL_OPTION,
    ...RUN_OPTIONS.filter(({ name }) => name === "weights" || name === "attention-gain"),
    { name: "port", value: "N", help: "The port to listen on.", default: "a free one" },
    { name: "no-open", help: "Only print the address, do not open a browser." },
  ],
  examples: [
    ["mobiledetr view", "A sample picture."],
    ["mobiledetr view photo.jpg --port 8080 --no-open", "Your own, at http://127.0.0.1:8080/."],
    ["mobiledetr view trace.safetensors", "Somebody's numbers beside ours."],
    [
      "mobiledetr view photo.jpg --model MobileNetV4HybridMedium --weights seed:0 --attention-gain 1e5",
      "A generated network with mobile multi-query attention.",
    ],
  ],
  run: view,
};

async function view(args: Arguments, terminal: Terminal): Promise<number> {
  const port = args.count("port") ?? 0;
  if (port >= PORTS) fail("argument", "--port", `a whole number below ${PORTS}`, String(port));
  const viewer = await startViewer({ input: args.words[0], network: networkOf(args), port });
  const signalled = new Promise<number>((resolve) => {
    process.once("SIGINT", () => resolve(EXIT_INTERRUPTED));
    process.once("SIGTERM", () => resolve(EXIT_TERMINATED));
  });
  terminal.note("Ctrl-C ends it.");
  terminal.print(viewer.url);
  if (!args.has("no-open")) openInBrowser(viewer.url);
  const code = await signalled;
  await viewer.close();
  return code;
}

/** The network that the options name; undefined for the default one. */
function networkOf(args: Arguments): ViewedNetwork | undefined {
  const [model, weights] = [args.text("model") ?? DEFAULT_MODEL, args.text("weights")];
  checkRunOptions(args);
  if (model === DEFAULT_MODEL && weights === undefined) return undefined;
  const files = findModel(modelChoice(args));
  const yaml = /\.ya?ml$/i.test(model)
    ? readYaml(model)
    : model === DEFAULT_MODEL
      ? embeddedYaml(DEFAULT_MODEL)
      : undefined;
  const seeded = seededWeights(args, files);
  if (seeded) return { name: files.name, yaml, weights: seeded };
  openWeights(files).close(); // an error now, and not in the page
  return { name: files.name, yaml, weights: absolutePath(String(files.weights)) };
}

/**
 * Starts the server on 127.0.0.1. Errors: "file" for a picture that is not there or none, or a page that is not built; "state"
 * for a port that is taken or not allowed.
 */
export async function startViewer(options: ViewerOptions = {}): Promise<Viewer> {
  const { root = ROOT, port = 0, network } = options;
  if (!existsSync(join(root, PAGE))) {
    fail("file", join(root, PAGE), "the built page", "no such file", "npm run build:js");
  }
  const isTrace = options.input !== undefined && TRACE.test(options.input);
  const trace = isTrace ? traceOf(options.input as string) : undefined;
  const pictures = picturesOf(root, isTrace ? undefined : options.input);
  const server = createServer((request, response) => {
    try {
      send(answerTo(request, { root, pictures, trace, network }), request, response);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else send({ status: 500, text: `${messageOf(error)}\n` }, request, response);
    }
  });
  await listen(server, port);
  return {
    url: `http://${HOST}:${(server.address() as AddressInfo).port}/`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const got = error.code === "EADDRINUSE" ? "one that is in use" : messageOf(error);
      const message = describe("view", `port ${port} free`, got, "leave --port out: a free one is taken");
      reject(new MobileDetrError("state", message, { cause: error }));
    });
    server.listen(port, HOST, resolve);
  });
}

/** A trace that can be read; its header is. */
function traceOf(given: string): Picture {
  const path = absolutePath(given);
  const source = openFileSource(path, given);
  try {
    readTrace(source);
  } finally {
    source.close();
  }
  return { name: printable(basename(path)), path, type: BYTES };
}

/** The given picture first, then the examples of a clone. */
function picturesOf(root: string, given: string | undefined): Picture[] {
  const pictures: Picture[] = [];
  if (given !== undefined) {
    const path = absolutePath(given);
    const status = statusOf(path);
    if (!status) fail("file", given, "a picture file", "no such file");
    if (!status.isFile())
      fail("file", given, "a picture file", status.isDirectory() ? "a folder" : "a device or pipe");
    const { format, name } = sniffFormat(headOf(path, given));
    if (!format) fail("format", given, "a JPEG, PNG, BMP or GIF picture", name);
    pictures.push({ name: printable(basename(path)), path, type: `image/${format}` });
  }
  const examples = join(root, EXAMPLES);
  if (!existsSync(examples)) return pictures;
  const names = readdirSync(examples).filter((name) => name.endsWith(".jpg") && name !== pictures[0]?.name);
  return [
    ...pictures,
    ...names.sort().map((name) => ({ name, path: join(examples, name), type: "image/jpeg" })),
  ];
}

function headOf(path: string, given: string): Uint8Array {
  try {
    const file = openSync(path, "r");
    try {
      const head = Buffer.alloc(HEAD_BYTES);
      return head.subarray(0, readSync(file, head, 0, HEAD_BYTES, 0));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return fail("file", given, "a picture that can be read", messageOf(error));
  }
}

/** What the server has. */
interface Served {
  readonly root: string;
  readonly pictures: readonly Picture[];
  readonly trace?: Picture;
  readonly network?: ViewedNetwork;
}

/** An answer: a file, or a text. */
type Answer = { readonly status: number; readonly headers?: Readonly<Record<string, string>> } & (
  | { readonly path: string; readonly type: string }
  | { readonly text: string | Uint8Array; readonly type?: string }
);

const NOT_FOUND: Answer = { status: 404, text: "no such file\n" };

function answerTo({ headers, method, url = "/" }: IncomingMessage, served: Served): Answer {
  const { root, pictures, trace, network } = served;
  // A page of another site, by a name of its own that leads to this machine, could read what is served.
  const host = (headers.host ?? "").replace(/:\d+$/, "");
  if (host !== HOST && host !== "localhost")
    return { status: 403, text: `this is served as ${HOST} alone\n` };
  if (method !== "GET" && method !== "HEAD") return { status: 405, text: "only GET and HEAD\n" };
  const path = pathOf(url);
  if (path === undefined) return { status: 400, text: "no such address\n" };
  if (path === "/") return { status: 302, headers: { Location: PAGE }, text: "" };
  if (path === PAGE) return { status: 200, text: page(served), type: TYPES[".html"] };
  if (path === TRACE_ADDRESS) return fileAt(trace);
  if (path === WEIGHTS_ADDRESS && network) {
    const { weights } = network;
    return typeof weights === "string"
      ? fileAt({ path: weights, type: BYTES })
      : { status: 200, text: weights, type: BYTES };
  }
  const number = /^\/pictures\/(\d+)$/.exec(path)?.[1];
  if (number !== undefined) return fileAt(pictures[Number(number)]);
  const file = join(root, path);
  const inside = FOLDERS.some((folder) => file.startsWith(join(root, folder) + sep));
  return inside ? fileAt({ path: file, type: TYPES[extname(file)] ?? BYTES }) : NOT_FOUND;
}

/** The page, told what is served. */
function page({ root, pictures, trace, network }: Served): string {
  const told: Readonly<Record<string, unknown>> = {
    pictures: pictures.map(({ name }, i) => ({ name, url: `/pictures/${i}` })),
    trace: trace && { name: trace.name, url: TRACE_ADDRESS },
    network: network && { name: network.name, yaml: network.yaml, weights: WEIGHTS_ADDRESS },
  };
  let text = readFileSync(join(root, PAGE), "utf8");
  for (const [name, value] of Object.entries(told)) {
    if (value === undefined) continue;
    const content = escaped(JSON.stringify(value));
    text = text.replace(
      `<meta name="mobiledetr-${name}" content="">`,
      () => `<meta name="mobiledetr-${name}" content="${content}">`,
    );
  }
  return text;
}

function fileAt(file: { readonly path: string; readonly type: string } | undefined): Answer {
  if (!file || !statSync(file.path, { throwIfNoEntry: false })?.isFile()) return NOT_FOUND;
  return { status: 200, path: file.path, type: file.type };
}

function send(answer: Answer, request: IncomingMessage, response: ServerResponse): void {
  const type = answer.type ?? "text/plain; charset=utf-8";
  const size = "path" in answer ? statSync(answer.path).size : Buffer.byteLength(answer.text);
  response.writeHead(answer.status, {
    ...HEADERS,
    ...answer.headers,
    "Content-Type": type,
    "Content-Length": size,
  });
  if (request.method === "HEAD") response.end();
  else if ("text" in answer) response.end(answer.text);
  else {
    const stream = createReadStream(answer.path);
    stream.on("error", () => response.destroy());
    response.on("close", () => stream.destroy());
    stream.pipe(response);
  }
}

/** The path of a request, decoded; undefined where it is none. Dots in it are resolved by `join`, and then looked at. */
function pathOf(url: string): string | undefined {
  try {
    const path = decodeURIComponent(url.split(/[?#]/, 1)[0]);
    return path.startsWith("/") && !/[\0\\]/.test(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}

/** Asks the platform to open an address, without a shell; where there is nothing that does, the address is printed anyway. */
function openInBrowser(url: string): void {
  const [command, ...words] =
    process.platform === "darwin"
      ? ["open", url]
      : process.platform === "win32"
        ? ["rundll32", "url.dll,FileProtocolHandler", url]
        : ["xdg-open", url];
  const child = spawn(command, words, { stdio: "ignore", detached: true, shell: false });
  child.on("error", () => {}); // there is none
  child.unref();
}
