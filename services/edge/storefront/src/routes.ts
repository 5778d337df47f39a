/** A place in the shop, and what its path told. */
export interface Match<Target> {
  readonly target: Target;
  readonly params: Readonly<Record<string, string>>;
}

/** Paths as patterns, "/products/:sku", each with what is there. */
export type Routes<Target> = readonly (readonly [pattern: string, target: Target])[];

/** Finds what is at a path; a part that cannot be decoded is no match. */
export function matchRoute<Target>(routes: Routes<Target>, path: string): Match<Target> | undefined {
  const parts = partsOf(path);
  for (const [pattern, target] of routes) {
    const params = matchParts(partsOf(pattern), parts);
    if (params !== undefined) return { target, params };
  }
  return undefined;
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "");
}

function matchParts(pattern: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== parts.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const part = parts[index] ?? "";
    if (!expected.startsWith(":")) {
      if (expected !== part) return undefined;
      continue;
    }
    try {
      params[expected.slice(1)] = decodeURIComponent(part);
    } catch {
      return undefined;
    }
  }
  return params;
}

/** Where to go after logging in: a path of this shop, never another's address. */
export function safeNext(next: string | null): string {
  return next !== null && /^\/(?![/\\])/.test(next) ? next : "/";
}
