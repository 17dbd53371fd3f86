/**
 * The script that every worker of a browser build runs (`detector/worker.browser.ts`), as an address. It is embedded,
 * compressed, so that no bundler needs to know of it and no second file has to be served; pages whose Content-Security-Policy
 * allows no `blob:` workers give the address of `worker.js` instead, a module with others beside it.
 */
import packed from "embedded:worker";
import jpeg from "../../../build/jpeg.wasm";
import kernels from "../../../build/kernels.wasm";
import { decodeBase64 } from "../../base64.ts";
import { describe, MobileDetrError, messageOf } from "../../errors.ts";
import { inflateZlib } from "../../inflate.ts";

const NAME = "mobiledetr"; // of the workers, for developer tools
const MAX_SCRIPT_BYTES = 2 ** 24; // far more than it has

let blobUrl: string | undefined; // one per page, kept as long as it lives: workers may be started again

function scriptUrl(): string {
  if (packed === "") return self.location.href; // in the script itself, which does not hold itself
  if (blobUrl === undefined) {
    const script = inflateZlib(decodeBase64(packed), MAX_SCRIPT_BYTES) as Uint8Array<ArrayBuffer>;
    // The modules are here anyway: the script reads them from where this puts them, and holds none itself.
    const modules = `self.mobiledetrModules=${JSON.stringify({ jpeg, kernels })};`;
    blobUrl = URL.createObjectURL(new Blob([modules, script], { type: "text/javascript" }));
  }
  return blobUrl;
}

/** Starts a worker; `url` is the page's own copy of the script. Throws code "state" where the browser refuses at once. */
export function startWorker(url: string | undefined): Worker {
  try {
    return url === undefined
      ? new Worker(scriptUrl(), { name: NAME })
      : new Worker(url, { name: NAME, type: "module" });
  } catch (error) {
    throw refused(messageOf(error), url, error);
  }
}

/** The error for a worker that could not be started. A browser tells the page no more than that; its console says why. */
export function refused(how: string, url: string | undefined, cause?: unknown): MobileDetrError {
  const mend = url
    ? "is it the worker.js of this version, its chunks folder beside it, from this origin, with the page's COEP header?"
    : "does the page's Content-Security-Policy allow worker-src blob: and script-src 'wasm-unsafe-eval'? " +
      "or serve worker.js yourself and give its address as workerUrl";
  return new MobileDetrError("state", describe("worker", "a browser that starts it", how, mend), { cause });
}
