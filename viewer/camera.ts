/** The camera as a source of pictures: a dialog with what it sees, of which one frame is taken, or one after the other. */
import { cameraReason } from "./camera-reason.ts";
import { el } from "./dom.ts";
import { setLive } from "./present.ts";

/** Looks at a frame. `again` for all but the first of a row. False ends the row: looking failed, or another picture was chosen. */
export type TakeFrame = (frame: Blob, again: boolean) => Promise<boolean>;

type Mode = "closed" | "opening" | "ready" | "live" | "failed";

const WANTED: MediaTrackConstraints = { width: { ideal: 1280 }, height: { ideal: 720 } };
const QUALITY = 0.95; // of the JPEG that a frame becomes

/** Shows the button where there may be a camera, and opens the dialog by it. */
export function wireCamera(button: HTMLElement, take: TakeFrame): void {
  if (!navigator.mediaDevices?.getUserMedia) return;
  button.hidden = false;
  const camera = new CameraDialog(take);
  document.body.append(camera.root);
  button.addEventListener("click", () => camera.open());
}

class CameraDialog {
  readonly #take: TakeFrame;
  readonly #video = el("video", { playsinline: true, "aria-label": "What the camera sees" });
  readonly #hint = el("p", { class: "soft hint" });
  readonly #error = el("p", { class: "error", role: "alert" });
  readonly #cameras = el("select", { id: "cameras", onchange: () => this.#start() });
  readonly #choice = el("label", { class: "field" }, el("span", {}, "Camera"), this.#cameras);
  readonly #count = el("output", { class: "soft", "aria-live": "off" });
  readonly #look = this.#button("Look at this", "", () => this.#lookOnce());
  readonly #keep = this.#button("Keep looking", "quiet", () => this.#keepLooking());
  readonly #again = this.#button("Try again", "", () => this.#start());
  readonly #close = this.#button("Close", "quiet", () => this.root.close());
  readonly root = el(
    "dialog",
    { class: "camera", "aria-labelledby": "camera-title" },
    el("h2", { id: "camera-title" }, "Camera"),
    this.#hint,
    this.#video,
    this.#error,
    this.#choice,
    el("div", { class: "actions" }, this.#count, this.#look, this.#keep, this.#again, this.#close),
  );
  #mode: Mode = "closed";
  #stream: MediaStream | undefined;
  #turn = 0; // of the starts; a camera that comes too late is stopped

  constructor(take: TakeFrame) {
    this.#take = take;
    this.#video.muted = true;
    this.root.addEventListener("close", () => {
      if (!this.root.open) this.#stop(); // and not only changed from a dialog into a panel
    });
    this.root.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#mode === "live") this.root.close(); // modal, it closes by itself
    });
    addEventListener("pagehide", () => {
      this.root.close();
      this.#stop(); // the event comes too late
    });
  }

  #button(text: string, kind: string, press: () => unknown): HTMLButtonElement {
    return el("button", { type: "button", class: `button ${kind}`, onclick: press }, text);
  }

  open(): void {
    if (this.root.open) this.#close.focus();
    else {
      this.root.showModal();
      void this.#start();
    }
  }

  /** Tracks too: the camera's light goes out. */
  #stop(): void {
    this.#turn++;
    this.#stopTracks();
    this.#set("closed");
  }

  #stopTracks(): void {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = undefined;
    this.#video.srcObject = null;
  }

  #set(mode: Mode): void {
    this.#mode = mode;
    this.root.dataset.mode = mode;
    this.#hint.textContent =
      mode === "opening"
        ? "Waiting for the camera. Your browser may ask whether it may be used."
        : "What it sees stays on this device.";
    const failed = mode === "failed";
    this.#error.hidden = !failed;
    this.#hint.hidden = failed || mode === "live";
    this.#video.hidden = failed;
    this.#again.hidden = !failed;
    for (const button of [this.#look, this.#keep]) {
      button.hidden = failed || mode === "live";
      button.disabled = mode !== "ready";
    }
    this.#choice.hidden = mode === "live" || this.#cameras.options.length < 2;
    this.#count.hidden = mode !== "live";
    this.#close.textContent = mode === "live" ? "Stop" : "Close";
    setLive(mode === "live");
  }

  async #start(): Promise<void> {
    const mine = ++this.#turn;
    this.#stopTracks();
    this.#set("opening");
    const chosen = this.#cameras.value;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        video: { ...WANTED, ...(chosen ? { deviceId: { exact: chosen } } : { facingMode: "environment" }) },
      });
      if (mine !== this.#turn) {
        for (const track of stream.getTracks()) track.stop();
        return;
      }
      this.#stream = stream;
      const [track] = stream.getVideoTracks();
      track.addEventListener("ended", () =>
        this.#fail(new DOMException("it was unplugged or shut", "Ended")),
      );
      this.#video.srcObject = stream;
      await this.#video.play();
      await this.#list(track.getSettings().deviceId);
      if (mine !== this.#turn) return;
      this.#set("ready");
      if (document.activeElement !== this.#cameras) this.#look.focus();
    } catch (error) {
      if (mine === this.#turn) this.#fail(error);
    }
  }

  /** The cameras to choose from: known by name once one was allowed. */
  async #list(current: string | undefined): Promise<void> {
    const devices = await navigator.mediaDevices.enumerateDevices();
    const cameras = devices.filter(({ kind, deviceId }) => kind === "videoinput" && deviceId);
    this.#cameras.replaceChildren(
      ...cameras.map(({ deviceId, label }, i) =>
        el("option", { value: deviceId, selected: deviceId === current }, label || `Camera ${i + 1}`),
      ),
    );
  }

  #fail(error: unknown): void {
    if (!this.root.open) return;
    this.#turn++; // a row of frames ends
    this.#stopTracks();
    this.#cameras.replaceChildren(); // the next try is free to take any
    this.#error.textContent = cameraReason(error);
    this.#set("failed");
    if (!this.root.matches(":modal")) {
      this.root.close(); // a panel becomes a dialog again
      this.root.showModal();
    }
    this.#again.focus();
  }

  /** What is seen now. */
  async #frame(): Promise<Blob> {
    const { videoWidth: width, videoHeight: height } = this.#video;
    const canvas = el("canvas", { width, height });
    canvas.getContext("2d")?.drawImage(this.#video, 0, 0);
    const frame = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
    if (!frame) throw new DOMException("a frame without pixels", "NotReadableError");
    return frame;
  }

  async #lookOnce(): Promise<void> {
    try {
      const frame = await this.#frame();
      this.root.close();
      await this.#take(frame, false);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #keepLooking(): Promise<void> {
    const mine = this.#turn;
    this.#count.textContent = "";
    this.root.close();
    this.#set("live"); // first, for it takes the focus where it stands
    this.root.show(); // beside the views, which can be used meanwhile
    this.#close.focus();
    try {
      for (let looked = 0; ; looked++) {
        await visible();
        if (mine !== this.#turn) return;
        if (!(await this.#take(await this.#frame(), looked > 0))) break;
        this.#count.textContent = looked === 0 ? "1 frame" : `${looked + 1} frames`;
      }
      if (mine === this.#turn) this.root.close();
    } catch (error) {
      if (mine === this.#turn) this.#fail(error);
    }
  }
}

/** Resolves when the page can be seen. */
function visible(): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (document.hidden) document.addEventListener("visibilitychange", check, { once: true });
      else resolve();
    };
    check();
  });
}
