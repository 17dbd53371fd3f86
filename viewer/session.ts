/** What is looked at: a network, a picture or a trace's images, and what it is compared with. */
import { type Client, Run } from "./client.ts";
import { count } from "./dom.ts";
import { sortFiles } from "./files.ts";
import { isLive } from "./present.ts";
import type { NetworkChoice, TraceRecord } from "./protocol.ts";
import type { State } from "./state.ts";

/** A file by name, where the page has its address. */
export interface Offered {
  readonly name: string;
  readonly url: string;
}

/** A network that the page was opened with, instead of the default one. */
export interface OfferedNetwork {
  readonly name: string;
  /** Its configuration; without one the name is a backbone's. */
  readonly yaml?: string;
  /** Address of its weights. */
  readonly weights: string;
}

/** What a run is compared with. */
export interface OtherSide {
  readonly title: string;
  /** A picture's bytes; a trace is the worker's. */
  readonly picture?: ArrayBuffer;
}

/** What the session needs of the page. */
export interface SessionPage {
  readonly state: () => Readonly<State>;
  readonly set: (change: Partial<State>) => void;
  readonly say: (text: string) => void;
  readonly fail: (error: unknown) => void;
  /** Called when a run has ended. */
  readonly ran: (run: Run) => void;
  readonly poolUrl?: string;
  readonly budget: number;
}

const CAMERA = "camera"; // the name of its pictures

/** Height and width in pixels. */
export type Size = readonly [height: number, width: number];

/** A network that can be loaded; `key` tells one from another. */
interface Network {
  readonly key: string;
  readonly model?: NetworkChoice["model"];
  readonly weights: () => Promise<ArrayBuffer>;
}

/** See the file's head. */
export class Session {
  run: Run | undefined;
  other: OtherSide | undefined;
  readonly #client: Client;
  readonly #page: SessionPage;
  #network: Network;
  /** The last one that could be loaded. */
  #working: Network;
  #name = "";
  #loaded = "";
  /** The run before: answers to what its views asked may still come and be drawn, on its photograph. */
  #last: Run | undefined;
  /** Without bytes: the images of the trace that is open, which have a size of their own. */
  #picture: { readonly name: string; readonly bytes?: ArrayBuffer; readonly size?: Size } | undefined;
  #source = ""; // the name of the picture that was asked for last
  #failed = false; // the last run
  #turn = 0; // of the runs asked for; the answer to an earlier one is dropped

  constructor(client: Client, page: SessionPage, network: OfferedNetwork) {
    this.#client = client;
    this.#page = page;
    const { name, yaml, weights } = network;
    const model = name === "" ? undefined : yaml === undefined ? name : { name, yaml };
    this.#network = { key: "", model, weights: once(() => fetched(weights, "the weights")) };
    this.#working = this.#network;
  }

  /** Whether there is something to run on. */
  get looking(): boolean {
    return this.#picture !== undefined;
  }

  /** The size of a trace's images, which the page's choice of sizes does not touch. */
  get ownSize(): Size | undefined {
    return this.#picture?.size;
  }

  /** A picture. Of several that are asked for in a row the last one holds. */
  async take(name: string, blob: Blob): Promise<void> {
    this.#source = name;
    try {
      await checkPicture(name, blob);
      const bytes = await blob.arrayBuffer();
      if (this.#source !== name) return;
      this.#picture = { name, bytes };
      await this.look();
    } catch (error) {
      this.#failed = true;
      this.#page.fail(error);
    }
  }

  /** A picture by its address. */
  async takeOffered({ name, url }: Offered): Promise<void> {
    this.#source = name;
    try {
      await this.take(name, new Blob([await fetched(url, "a picture")]));
    } catch (error) {
      this.#page.fail(error);
    }
  }

  /**
   * A frame of the camera; `again` for all but the first of a row, `drawn` when its view is there. False ends the row: looking
   * failed, or another picture was chosen.
   */
  async takeFrame(frame: Blob, again: boolean, drawn: () => Promise<void>): Promise<boolean> {
    if (!again)
      this.#page.set({ picture: "", query: -1, token: -1 }); // the address cannot bring it back
    else if (this.#source !== CAMERA) return false;
    await this.take(CAMERA, frame);
    await drawn();
    return this.#source === CAMERA && !this.#failed;
  }

  /** Files that were opened or dropped, of whatever kind. */
  async takeFiles(files: Iterable<File>): Promise<void> {
    try {
      const { pictures, traces, weights, configurations } = await sortFiles(files);
      if (weights.length > 1 || configurations.length > 1 || traces.length > 1 || pictures.length > 1)
        throw new Error("expected one file of a kind, got several: open them one by one");
      if (configurations[0] && !weights[0])
        throw new Error(
          `${configurations[0].name}: expected its weights with it, got the configuration alone: open both files together`,
        );
      if (weights[0]) {
        await this.#takeNetwork(weights[0], configurations[0]);
        if (!traces[0] && !pictures[0]) await this.look();
      }
      if (pictures[0]) {
        this.#page.set({ picture: "", query: -1, token: -1 }); // the address cannot bring it back
        await this.take(pictures[0].name, pictures[0]);
      }
      if (traces[0]) await this.takeTrace(traces[0].name, traces[0]);
    } catch (error) {
      this.#page.fail(error);
    }
  }

  async #takeNetwork(weights: File, configuration: File | undefined): Promise<void> {
    const bytes = once(() => weights.arrayBuffer());
    const model = configuration
      ? { name: configuration.name, yaml: await configuration.text() }
      : this.#network.model;
    const key = `${weights.name} ${weights.size} ${weights.lastModified} ${configuration?.name ?? ""} ${configuration?.lastModified ?? ""}`;
    this.#network = { key, model, weights: bytes };
  }

  /** A trace: its images are what the network looks at, where it has them, and all of it is what that is compared with. */
  async takeTrace(name: string, blob: Blob, view: State["view"] = "compare"): Promise<void> {
    try {
      this.#page.say(`Reading ${name}…`);
      const bytes = await blob.arrayBuffer();
      const record = await this.#client.ask("openTrace", { name, bytes }, [bytes]);
      this.other = { title: name };
      this.#source = name;
      const size = sizeOf(record);
      this.#page.set({ view, ...(size ? { picture: "", query: -1, token: -1 } : {}) });
      if (size) this.#picture = { name: `the images of ${name}`, size };
      await this.look();
    } catch (error) {
      this.#page.fail(error);
    }
  }

  /** Compares with the same network's run on another picture. */
  async compareWith(name: string, blob: Blob): Promise<void> {
    try {
      await checkPicture(name, blob);
      this.other = { title: name, picture: await blob.arrayBuffer() };
      this.#page.set({ view: "compare" });
      if (this.run) this.#page.ran(this.run);
    } catch (error) {
      this.#page.fail(error);
    }
  }

  /** Loads the network, if it is not there in this size, and runs it on the picture. */
  async look(): Promise<void> {
    if (!this.#picture) return;
    const { name, bytes, size } = this.#picture;
    const mine = ++this.#turn;
    this.#failed = false;
    document.body.setAttribute("aria-busy", "true");
    try {
      const { imgsz } = this.#page.state();
      await this.#load(size ?? [imgsz, imgsz], mine);
      if (mine !== this.#turn) return;
      if (!isLive()) this.#page.say("Running, and recording every layer…");
      const photo = bytes
        ? await createImageBitmap(new Blob([bytes]), { imageOrientation: "from-image" })
        : await this.#images();
      const record = await this.#client.run(bytes?.slice(0));
      if (mine !== this.#turn) return;
      this.#last?.photo.close();
      this.#last = this.run;
      this.run = new Run(record, photo);
      this.#page.ran(this.run);
      const { width, height, calls, networkMs, runMs, keptBytes, allBytes, threads } = record;
      const kept =
        keptBytes < allBytes
          ? `${count(keptBytes)}B of ${count(allBytes)}B kept, the rest is computed again when asked for`
          : `${count(keptBytes)}B kept`;
      const network = this.#name === "codes" ? "" : `${this.#name} on `;
      this.#page.say(
        `${network}${name}, ${width} × ${height}: ${calls.length} calls in ${Math.round(networkMs)} ms on ${threads} ${threads === 1 ? "thread" : "threads"}, recorded in ${Math.round(runMs)} ms; ${kept}.`,
      );
      document.body.dataset.ready = String(mine);
    } catch (error) {
      if (mine !== this.#turn) return;
      this.#failed = true;
      this.#page.fail(error);
    } finally {
      if (mine === this.#turn) document.body.removeAttribute("aria-busy");
    }
  }

  async #load(size: Size, mine: number): Promise<void> {
    const { key, model, weights } = this.#network;
    const wanted = `${size.join("x")} ${key}`;
    if (this.#loaded === wanted) return;
    const data = (await weights()).slice(0);
    if (mine !== this.#turn) return;
    this.#page.say("Building the network…");
    this.#loaded = "";
    const { poolUrl, budget } = this.#page;
    const ask = { model, weights: data, imgsz: size, poolUrl, budget };
    try {
      const { name } = await this.#client.ask("load", ask, [data]);
      this.#name = name;
      this.#loaded = wanted;
      this.#working = this.#network;
    } catch (error) {
      if (this.#network.key === key) this.#network = this.#working; // what comes next runs on the one before
      throw error;
    }
  }

  async #images(): Promise<ImageBitmap> {
    const { width, height, data } = await this.#client.ask("images", {});
    return createImageBitmap(new ImageData(data as Uint8ClampedArray<ArrayBuffer>, width, height));
  }
}

/** Height and width of a trace's images; undefined where it has none. */
function sizeOf({ name, images }: TraceRecord): Size | undefined {
  if (!images) return undefined;
  if (images.length !== 4 || images[0] !== 1 || images[1] !== 3)
    throw new Error(
      `${name}: expected images of shape [1, 3, H, W], got [${images.join(", ")}]: write a trace of one picture`,
    );
  return [images[2], images[3]];
}

async function checkPicture(name: string, blob: Blob): Promise<void> {
  const decoded = await createImageBitmap(blob).catch(() => undefined);
  if (!decoded) throw new Error(`${name}: expected a JPEG or PNG picture, got what this browser cannot show`);
  decoded.close();
}

async function fetched(address: string, what: string): Promise<ArrayBuffer> {
  const response = await fetch(address);
  if (!response.ok)
    throw new Error(
      `${address}: expected ${what}, got ${response.status} (put the file there, or name its address in index.html)`,
    );
  return response.arrayBuffer();
}

/** Asks once; an error is asked about again. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => {
    answer ??= ask().catch((error: unknown) => {
      answer = undefined;
      throw error;
    });
    return answer;
  };
}
