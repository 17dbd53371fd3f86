/**
 * Serves the example from a clone: `node examples/browser/serve.mjs [port]`. A plain static server of this machine alone, with
 * the two headers that make a page cross-origin isolated, so that it gets threads. `--not-isolated` leaves them out.
 */
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
/** Folders of the page that lie elsewhere in the repository; on a host of your own they are copies. */
const ELSEWHERE = [
  ["/mobiledetr/", fileURLToPath(new URL("../../dist/", import.meta.url))],
  ["/pictures/", fileURLToPath(new URL("../pictures/", import.meta.url))],
];
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css",
  ".js": "text/javascript",
  ".jpg": "image/jpeg",
};
const ISOLATING = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

const options = process.argv.slice(2);
const headers = options.includes("--not-isolated") ? {} : ISOLATING;
const port = Number(options.find((option) => /^\d+$/.test(option)) ?? 8080);

function fileOf(path) {
  const [prefix, folder] = ELSEWHERE.find(([start]) => path.startsWith(start)) ?? ["/", HERE];
  return join(folder, path === "/" ? "index.html" : path.slice(prefix.length));
}

const server = createServer((request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
  const file = fileOf(path);
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
    response.writeHead(404, headers).end("not found");
    return;
  }
  response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream", ...headers });
  createReadStream(file).pipe(response);
});
server.listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
