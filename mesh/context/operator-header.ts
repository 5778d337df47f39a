/** Names the person behind an operator's certificate, which many may share. A claim: nothing proves it. */
export const operatorHeader = "weft-operator";

const lengthMax = 128;

/** A person's name as a header's value: percent-encoded, since metadata is ASCII. */
export function formatOperator(name: string): string {
  return encodeURIComponent(name);
}

/** The name in a header's value, fit to be stored and printed; undefined if there is none. */
export function parseOperator(value: string | null): string | undefined {
  if (!value) return undefined;
  const name = decoded(value)
    .replace(/\p{C}+/gu, " ")
    .trim();
  return name === "" ? undefined : name.slice(0, lengthMax);
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
