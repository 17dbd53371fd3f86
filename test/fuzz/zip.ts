/** ZIP archives whose every field can be told, right or wrong. */
import { deflateRawSync } from "node:zlib";
import { crc32 } from "../../src/conformance/npz.ts";
import { concat, le } from "./bytes.ts";

/** A member; what is not told is right. */
export interface ZipMember {
  readonly name: Uint8Array;
  readonly content: Uint8Array;
  readonly deflate?: boolean;
  readonly method?: number;
  readonly flags?: number;
  readonly crc?: number;
  readonly packed?: number;
  readonly size?: number | bigint;
  readonly local?: number;
  /** ZIP64's values, where there is such a field. */
  readonly wide?: readonly bigint[];
  /** Index of the member whose local header this one shares. */
  readonly like?: number;
}

/** What the end record says; what is not told is right. */
export interface ZipEnd {
  readonly count?: number;
  readonly bytes?: number;
  readonly position?: number;
  readonly comment?: Uint8Array;
  /** Count, bytes and position of a ZIP64 end record, and where its locator says that it is. */
  readonly wide?: readonly [count: bigint, bytes: bigint, position: bigint, at: bigint];
}

/** An archive. */
export function zipOf(members: readonly ZipMember[], end: ZipEnd = {}): Uint8Array {
  const locals: Uint8Array[] = [];
  const places: { at: number; packed: number }[] = [];
  let at = 0;
  const central = members.map((m) => {
    const data = m.deflate ? new Uint8Array(deflateRawSync(m.content)) : m.content;
    const fields = concat(
      le(20, 2),
      le(m.flags ?? 0x800, 2),
      le(m.method ?? (m.deflate ? 8 : 0), 2),
      le(0, 4),
      le(m.crc ?? crc32(m.content), 4),
      le(m.packed ?? data.length, 4),
      le(m.size ?? m.content.length, 4),
      le(m.name.length, 2),
    );
    let place = m.like === undefined ? undefined : places[m.like];
    if (!place) {
      const local = concat(le(0x04034b50, 4), fields, le(0, 2), m.name, data);
      place = { at, packed: data.length };
      locals.push(local);
      at += local.length;
    }
    places.push(place);
    const extra = m.wide
      ? concat(le(1, 2), le(8 * m.wide.length, 2), ...m.wide.map((value) => le(value, 8)))
      : [];
    const tail = concat(
      le(extra.length, 2),
      le(0, 2),
      le(0, 2),
      le(0, 2),
      le(0, 4),
      le(m.local ?? place.at, 4),
    );
    return concat(le(0x02014b50, 4), le(20, 2), fields, tail, m.name, extra);
  });
  const directory = concat(...central);
  const wide = end.wide
    ? concat(
        ...[le(0x06064b50, 4), le(44, 8), le(45, 2), le(45, 2), le(0, 8), le(end.wide[0], 8)],
        ...[le(end.wide[0], 8), le(end.wide[1], 8), le(end.wide[2], 8)],
        ...[le(0x07064b50, 4), le(0, 4), le(end.wide[3], 8), le(1, 4)],
      )
    : [];
  const comment = end.comment ?? new Uint8Array(0);
  const count = le(end.count ?? members.length, 2);
  const last = concat(
    le(0x06054b50, 4),
    le(0, 4),
    count,
    count,
    le(end.bytes ?? directory.length, 4),
    le(end.position ?? at, 4),
  );
  return concat(...locals, directory, wide, last, le(comment.length, 2), comment);
}
