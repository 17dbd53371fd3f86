/** Why the camera gives no picture, and what to do about it. */

type Reason = readonly [expected: string, got: string, mend: string];

const BUSY: Reason = [
  "what it sees",
  "nothing: it is in use or does not start",
  "close the program or page that has it, and try again",
];
/** By the names of what getUserMedia rejects with. */
const REASONS: Readonly<Record<string, Reason>> = {
  NotAllowedError: [
    "permission to use it",
    "a refusal",
    "allow the camera for this page, by the sign beside its address or in the system's settings, and try again",
  ],
  NotFoundError: [
    "one on this device",
    "none",
    "connect one or switch it on, and try again, or open a picture",
  ],
  NotReadableError: BUSY,
  AbortError: BUSY,
  OverconstrainedError: ["the one that was chosen", "none of that name", "try again: another will be taken"],
  SecurityError: ["a page by https: or on localhost", location.origin, "open the page by such an address"],
  Ended: ["what it sees", "an end of it", "connect the camera again or allow it, and try again"],
};

/** In a sentence. */
export function cameraReason(error: unknown): string {
  const { name, message } = error as Error;
  const other: Reason = ["what it sees", message || name, "try again, or open a picture"];
  const [expected, got, mend] = REASONS[name] ?? other;
  return `Camera: expected ${expected}, got ${got} (${mend}).`;
}
