/** `inflate-raw.ts` for browsers. */
export { inflateRaw } from "../inflate.ts";
