/** What the detector's thread and its owner say to each other. */
import type { ErrorCode } from "../errors.ts";
import type { DetectOptions } from "./options.ts";
import type { ImageInput } from "./pictures.ts";
import type { Detections, DetectorInfo } from "./pipeline.ts";

/** To the thread. */
export type Request =
  | {
      readonly kind: "detect";
      readonly id: number;
      readonly image: ImageInput;
      readonly options: DetectOptions;
    }
  | { readonly kind: "close" };

/** From the thread. */
export type Reply =
  | { readonly kind: "ready"; readonly info: DetectorInfo }
  | { readonly kind: "refused"; readonly error: PlainError }
  | { readonly kind: "done"; readonly id: number; readonly result: Detections }
  | { readonly kind: "failed"; readonly id: number; readonly error: PlainError }
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
