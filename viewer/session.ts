/** What is looked at: a network, a picture or a trace's images, and what it is compared with. */
import { type Client, Run } from "./client.ts";
import { count } from "./dom.ts";
import { sortFiles } from "./files.ts";
import { isLive } from "./present.ts";
import type { NetworkChoice, RunRecord, TraceRecord } from "./protocol.ts";
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

/** What a run is compared with: a picture's bytes, or a trace that the worker has. */
export interface OtherSide {
  readonly title: string;
  readonly picture?: ArrayBuffer;
  readonly trace?: number;
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

const NO_NETWORK = "no network"; // what the worker says where it has another one
/** Of a picture that the address cannot bring back. */
const OWN: Partial<State> = { picture: "", query: -1, token: -1 };

/** Height and width in pixels. */
export type Size = readonly [height: number, width: number];

/** A network that can be loaded; `key` tells one from another. */
interface Network {
  readonly key: string;
  readonly model?: NetworkChoice["model"];
  readonly weights: () => Promise<ArrayBuffer>;
  /** The file of weights, where it is the reader's. */
  readonly weightsName?: string;
}

/** What the network looks at: a picture's bytes, or the images of a trace, which have a size of their own. */
interface Picture {
  readonly name: string;
  readonly bytes?: ArrayBuffer;
  readonly trace?: number;
  readonly size?: Size;
}

/** What a run is of. */
interface Target {
  readonly network: Network;
  readonly picture: Picture;
}

/** See the file's head. Nothing of what is shown changes before what comes in its place could be used. */
export class Session {
  run: Run | undefined;
  other: OtherSide | undefined;
  readonly #client: Client;
  readonly #page: SessionPage;
  readonly #first: Network;
  #network: Network;
  #picture: Picture | undefined;
  /** The network that the worker has, as far as is known. */
  #loaded = "";
  /** The run before: answers to what its views asked may still come and be drawn, on its photograph. */
  #last: Run | undefined;
  #asked = 0; // of the pictures and traces asked for: the last one holds, however late the others come
  #camera = 0; // which of these is the camera
  #turn = 0; // of the runs asked for; the answer to an earlier one is dropped

  constructor(client: Client, page: SessionPage, network: OfferedNetwork) {
    this.#client = client;
    this.#page = page;
    const { name, yaml, weights } = network;
    const model = name === "" ? undefined : yaml === undefined ? name : { name, yaml };
    this.#first = { key: "", model, weights: once(() => fetched(weights, "the weights")) };
    this.#network = this.#first;
  }

  /** Whether there is something to run on. */
  get looking(): boolean {
    return this.#picture !== undefined;
  }

  /** The size of a trace's images, which the page's choice of sizes does not touch. */
  get ownSize(): Size | undefined {
    return this.#picture?.size;
  }

  /** Whether the network is one of the reader's files. */
  get ownNetwork(): boolean {
    return this.#network !== this.#first;
  }

  /** Back to the network that the page was opened with. */
  async firstNetwork(): Promise<void> {
    if (this.#picture) await this.#look({ network: this.#first, picture: this.#picture });
  }

  /** A picture by its address. */
  async takeOffered({ name, url }: Offered): Promise<void> {
    const mine = ++this.#asked;
    try {
      const blob = new Blob([await fetched(url, "a picture")]);
      if (mine === this.#asked) await this.#take(name, blob);
    } catch (error) {
      if (mine === this.#asked) this.#page.fail(error);
    }
  }

  /**
   * A frame of the camera; `again` for all but the first of a row, `drawn` when its view is there. False ends the row: looking
   * failed, or another picture was chosen.
   */
  async takeFrame(frame: Blob, again: boolean, drawn: () => Promise<void>): Promise<boolean> {
    if (!again) this.#camera = ++this.#asked;
    else if (this.#asked !== this.#camera) return false;
    const looked = await this.#take("camera", frame, again ? {} : OWN).catch((error: unknown) => {
      this.#page.fail(error);
      return false;
    });
    await drawn();
    return this.#asked === this.#camera && looked;
  }

  /** Files that were opened or dropped, of whatever kind. */
  async takeFiles(files: Iterable<File>): Promise<void> {
    const mine = ++this.#asked;
    try {
      const { pictures, traces, weights, configurations } = await sortFiles(files);
      if (weights.length > 1 || configurations.length > 1 || traces.length > 1 || pictures.length > 1)
        throw new Error("expected one file of a kind, got several: open them one by one");
      if (configurations[0] && !weights[0])
        throw new Error(
          `${configurations[0].name}: expected its weights with it, got the configuration alone: open both files together`,
        );
      const network = weights[0] ? await this.#networkOf(weights[0], configurations[0]) : this.#network;
      if (mine !== this.#asked) return;
      if (traces[0]) await this.#openTrace(traces[0].name, traces[0], "compare", network);
      else if (pictures[0]) await this.#take(pictures[0].name, pictures[0], OWN, network);
      else if (this.#picture) await this.#look({ network, picture: this.#picture });
    } catch (error) {
      if (mine === this.#asked) this.#page.fail(error);
    }
  }

  /** A trace: its images are what the network looks at, where it has them, and all of it is what that is compared with. */
  async takeTrace(name: string, blob: Blob, view: State["view"] = "compare"): Promise<void> {
    const mine = ++this.#asked;
    try {
      await this.#openTrace(name, blob, view, this.#network);
    } catch (error) {
      if (mine === this.#asked) this.#page.fail(error);
    }
  }

  /** Compares with the same network's run on another picture. */
  async compareWith(name: string, blob: Blob, change: Partial<State> = { with: "" }): Promise<void> {
    const mine = ++this.#asked;
    try {
      await checkPicture(name, blob);
      const picture = await blob.arrayBuffer();
      if (mine !== this.#asked) return;
      this.#compare({ title: name, picture }, { view: "compare", ...change });
    } catch (error) {
      if (mine === this.#asked) this.#page.fail(error);
    }
  }

  /** Compares with a picture by its address. */
  async compareWithOffered({ name, url }: Offered): Promise<void> {
    const mine = ++this.#asked;
    try {
      const blob = new Blob([await fetched(url, "a picture")]);
      if (mine === this.#asked) await this.compareWith(name, blob, { with: name });
    } catch (error) {
      if (mine === this.#asked) this.#page.fail(error);
    }
  }

  /** Runs again, in the size that the state names. */
  async look(): Promise<void> {
    if (this.#picture) await this.#look({ network: this.#network, picture: this.#picture });
  }

  #compare(other: OtherSide, change: Partial<State>): void {
    this.other = other;
    if (this.run) this.#page.ran(this.run);
    this.#page.set(change);
  }

  async #take(
    name: string,
    blob: Blob,
    change: Partial<State> = {},
    network: Network = this.#network,
  ): Promise<boolean> {
    const mine = this.#asked;
    await checkPicture(name, blob);
    const bytes = await blob.arrayBuffer();
    if (mine !== this.#asked) return false;
    return this.#look({ network, picture: { name, bytes } }, change);
  }

  async #networkOf(weights: File, configuration: File | undefined): Promise<Network> {
    const model = configuration
      ? { name: configuration.name, yaml: await configuration.text() }
      : this.#network.model;
    const key = [weights, ...(configuration ? [configuration] : [])]
      .map(({ name, size, lastModified }) => `${name} ${size} ${lastModified}`)
      .join();
    return { key, model, weights: () => weights.arrayBuffer(), weightsName: weights.name };
  }

  async #openTrace(name: string, blob: Blob, view: State["view"], network: Network): Promise<void> {
    const mine = this.#asked;
    this.#page.say(`Reading ${name}…`);
    const bytes = await blob.arrayBuffer();
    const keep = [this.#picture?.trace, this.other?.trace].filter((id) => id !== undefined);
    const record = await this.#client.ask("openTrace", { name, bytes, keep }, [bytes]);
    if (mine !== this.#asked) return;
    const size = sizeOf(record);
    const other = { title: name, trace: record.id };
    if (size) {
      const picture = { name: `the images of ${name}`, trace: record.id, size };
      await this.#look({ network, picture }, { ...OWN, view, with: "" }, other);
      return;
    }
    if (this.#picture && network !== this.#network) {
      await this.#look({ network, picture: this.#picture }, { view, with: "" }, other);
      return;
    }
    this.#compare(other, { view, with: "" });
    this.#page.say(`${name} has no whole images: it stands beside the picture that is open.`);
  }

  /**
   * Runs a network on a picture. When it has run, that is what is looked at, with a change of the state and another side. False
   * where it failed, which is told, or where another run was asked for.
   */
  async #look(target: Target, change: Partial<State> = {}, other?: OtherSide): Promise<boolean> {
    const { name, bytes, size } = target.picture;
    const mine = ++this.#turn;
    document.body.setAttribute("aria-busy", "true");
    let photo: ImageBitmap | undefined;
    try {
      const { imgsz } = this.#page.state();
      const record = await this.#ask(target, size ?? [imgsz, imgsz]);
      if (mine !== this.#turn) return false;
      photo = await this.#photo(record.seen ? undefined : bytes);
      if (mine !== this.#turn) return false;
      this.#network = target.network;
      this.#picture = target.picture;
      this.#last?.photo.close();
      this.#last = this.run;
      this.run = new Run(record, photo);
      photo = undefined;
      if (other) this.other = other;
      this.#page.ran(this.run);
      if (Object.keys(change).length > 0) this.#page.set(change);
      this.#page.say(this.#summary(name, record));
      document.body.dataset.ready = String(mine);
      return true;
    } catch (error) {
      if (mine === this.#turn) this.#page.fail(error);
      return false;
    } finally {
      photo?.close(); // failed, or too late
      if (mine === this.#turn) document.body.removeAttribute("aria-busy");
    }
  }

  /** What is shown: the picture, or the network's input. */
  async #photo(bytes: ArrayBuffer | undefined): Promise<ImageBitmap> {
    if (bytes) return createImageBitmap(new Blob([bytes]), { imageOrientation: "from-image" });
    const { width, height, data } = await this.#client.ask("images", {});
    return createImageBitmap(new ImageData(data as Uint8ClampedArray<ArrayBuffer>, width, height));
  }

  /** Asks for a run; the network goes with the question where the worker has another one. */
  async #ask({ network, picture }: Target, imgsz: Size): Promise<RunRecord> {
    const key = `${imgsz.join("x")} ${network.key}`;
    const run = async (whole: boolean): Promise<RunRecord> => {
      const { poolUrl, budget } = this.#page;
      if (!isLive()) this.#page.say(whole ? "Building the network…" : "Running, and recording every layer…");
      const weights = whole ? (await network.weights()).slice(0) : undefined;
      const choice = weights && { model: network.model, weights, imgsz, poolUrl, budget };
      const { bytes, trace } = picture;
      const record = await this.#client.run({ key, network: choice, picture: bytes?.slice(0), trace });
      this.#loaded = key;
      return record;
    };
    try {
      return await run(this.#loaded !== key);
    } catch (error) {
      if (error instanceof Error && error.message === NO_NETWORK) return run(true); // another run came in between
      throw error;
    }
  }

  #summary(name: string, record: RunRecord): string {
    const { width, height, calls, networkMs, runMs, keptBytes, allBytes, threads } = record;
    const kept =
      keptBytes < allBytes
        ? `${count(keptBytes)}B of ${count(allBytes)}B kept, the rest is computed again when asked for`
        : `${count(keptBytes)}B kept`;
    const { weightsName } = this.#network;
    const network = [record.network === "codes" ? "" : record.network, weightsName]
      .filter(Boolean)
      .join(", ");
    return `${network ? `${network}, on ` : ""}${name}, ${width} × ${height}: ${calls.length} calls in ${Math.round(networkMs)} ms on ${threads} ${threads === 1 ? "thread" : "threads"}, recorded in ${Math.round(runMs)} ms; ${kept}.`;
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
