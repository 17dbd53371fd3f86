/** What the detector's thread and its owner say to each other. */
import type { ErrorCode } from "../errors.ts";
import type { DetectOptions, DetectorOptions, Progress } from "./options.ts";
import type { ImageInput } from "./pictures.ts";
import type { DetectorInfo } from "./pipeline.ts";
import type { Detections } from "./results.ts";
import type { Tiling } from "./tiles.ts";

/** What a thread is started with: `progress` asks for news of loading. */
export type ThreadOptions = Omit<DetectorOptions, "signal" | "onProgress"> & { readonly progress?: boolean };

/** Options of a call as they cross threads. */
export interface CallOptions extends Pick<DetectOptions, "conf" | "classes" | "max_det" | "sort"> {
  /** Asks for tiles. */
  readonly tiling?: Tiling;
  /** Asks for news. */
  readonly progress?: boolean;
  /** One number in shared memory: not 0 when nobody waits any more. */
  readonly dropped?: Int32Array;
}

/** To the thread. */
export type Request =
  | {
      readonly kind: "detect";
      readonly id: number;
      readonly image: ImageInput;
      readonly options: CallOptions;
    }
  | { readonly kind: "close" };

/** From the thread. */
export type Reply =
  | { readonly kind: "ready"; readonly info: DetectorInfo }
  | { readonly kind: "refused"; readonly error: PlainError }
  | { readonly kind: "done"; readonly id: number; readonly result: Detections }
  | { readonly kind: "failed"; readonly id: number; readonly error: PlainError }
  | { readonly kind: "progress"; readonly id?: number; readonly progress: Progress }
  | { readonly kind: "closed" };

/** Who is told what a thread says. */
export interface ThreadListener {
  /** It answers. */
  reply(reply: Reply): void;
  /** It has ended, for this reason: told at least once, unless it was told to end. */
  ended(reason: Error): void;
}

/** An error as it crosses threads: its class would be lost. */
export interface PlainError {
  readonly code?: ErrorCode;
  readonly message: string;
  readonly stack?: string;
}
