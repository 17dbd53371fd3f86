/** Promises that must reject. */
import { expect } from "vitest";
import { MobileDetrError } from "../../src/errors.ts";

/** The error of a promise that must reject with one of ours. */
export async function rejection(promise: Promise<unknown>): Promise<MobileDetrError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(MobileDetrError);
  return error as MobileDetrError;
}
