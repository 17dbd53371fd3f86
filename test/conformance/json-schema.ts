/**
 * Enough of JSON Schema 2020-12 to hold the kit's published schemas against its files and against `kit-check.ts`. Keywords
 * that it does not know are an error: a schema that says more than is checked would pass for checked.
 */

/** A schema as JSON. */
export type Schema = boolean | { readonly [keyword: string]: unknown };

const ANNOTATIONS = ["$schema", "$id", "$defs", "title", "description"];

/** Everything in which `value` departs from `root`; empty where it conforms. */
export function departures(root: Schema, value: unknown): string[] {
  return check(root, value, "", root);
}

function check(schema: Schema, value: unknown, at: string, root: Schema): string[] {
  if (typeof schema === "boolean") return schema ? [] : [`${at}: nothing may stand here`];
  const out: string[] = [];
  const object = isObject(value) ? value : undefined;
  const list = Array.isArray(value) ? value : undefined;
  const sub = (inner: unknown, item: unknown, where: string): void => {
    out.push(...check(inner as Schema, item, where, root));
  };
  for (const [keyword, given] of Object.entries(schema)) {
    const wrong = (): void =>
      void out.push(`${at || "/"}: ${keyword} ${JSON.stringify(given)}, got ${show(value)}`);
    switch (keyword) {
      case "$ref":
        sub(resolve(root, given as string), value, at);
        break;
      case "type":
        if (!hasType(value, given as string)) wrong();
        break;
      case "const":
        if (value !== given) wrong();
        break;
      case "enum":
        if (!(given as unknown[]).includes(value)) wrong();
        break;
      case "pattern":
        if (typeof value === "string" && !new RegExp(given as string, "u").test(value)) wrong();
        break;
      case "minLength":
        if (typeof value === "string" && value.length < (given as number)) wrong();
        break;
      case "minimum":
        if (typeof value === "number" && value < (given as number)) wrong();
        break;
      case "maximum":
        if (typeof value === "number" && value > (given as number)) wrong();
        break;
      case "minItems":
        if (list && list.length < (given as number)) wrong();
        break;
      case "maxItems":
        if (list && list.length > (given as number)) wrong();
        break;
      case "minProperties":
        if (object && Object.keys(object).length < (given as number)) wrong();
        break;
      case "required":
        for (const key of given as string[]) if (object && !(key in object)) out.push(`${at}: no ${key}`);
        break;
      case "properties":
        for (const [key, inner] of Object.entries(given as object)) {
          if (object && key in object) sub(inner, object[key], `${at}/${key}`);
        }
        break;
      case "additionalProperties":
        for (const key of Object.keys(object ?? {})) {
          if (!(key in ((schema.properties as object) ?? {}))) sub(given, object?.[key], `${at}/${key}`);
        }
        break;
      case "propertyNames":
        for (const key of Object.keys(object ?? {})) sub(given, key, `${at}, the name ${key}`);
        break;
      case "prefixItems":
        (given as unknown[]).forEach((inner, i) => {
          if (list && i < list.length) sub(inner, list[i], `${at}/${i}`);
        });
        break;
      case "items":
        list
          ?.slice((schema.prefixItems as unknown[] | undefined)?.length ?? 0)
          .forEach((item, i) => void sub(given, item, `${at}/${i}`));
        break;
      case "oneOf": {
        const fitting = (given as Schema[]).filter((inner) => check(inner, value, at, root).length === 0);
        if (fitting.length !== 1) out.push(`${at}: fits ${fitting.length} of oneOf, got ${show(value)}`);
        break;
      }
      default:
        if (!ANNOTATIONS.includes(keyword)) throw new Error(`json-schema.ts does not know "${keyword}"`);
    }
  }
  return out;
}

function resolve(root: Schema, reference: string): unknown {
  const name = /^#\/\$defs\/(\w+)$/.exec(reference)?.[1];
  const found = typeof root === "object" && name && (root.$defs as Record<string, unknown>)[name];
  if (!found) throw new Error(`no ${reference}`);
  return found;
}

function hasType(value: unknown, type: string): boolean {
  switch (type) {
    case "object":
      return isObject(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    case "number":
    case "string":
    case "boolean":
      return typeof value === type;
    default:
      throw new Error(`json-schema.ts does not know the type ${type}`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 80);
}
