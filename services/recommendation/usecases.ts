import { ConnectError } from "@connectrpc/connect";
import type { Logger } from "@weft/mesh/telemetry";
import type { Source } from "./domain.ts";

const pageSizeDefault = 4;

export interface RecommendDeps {
  readonly pairs: {
    /** What was most often bought with it, the best first. */
    boughtTogether(sku: string, limit: number): Promise<string[]>;
  };
  /** What sells best, as far as known. Never rejects. */
  popular(): Promise<readonly string[]>;
  /** What is recommended when nothing else is known. */
  readonly fixed: readonly string[];
  readonly logger: Logger;
}

/**
 * What else somebody may like who looks at a product. A short list is filled up from the next source; the answer names the source
 * of its first. Never fails: a source that does is one that knows nothing.
 */
export async function recommend(
  deps: RecommendDeps,
  input: { readonly sku: string; readonly pageSize: number },
): Promise<{ skus: string[]; source: Source }> {
  const size = input.pageSize || pageSizeDefault;
  const sources: readonly (readonly [Source, () => Promise<readonly string[]>])[] = [
    ["bought together", () => boughtTogether(deps, input.sku, size)],
    ["popular", deps.popular],
    ["fixed", async () => deps.fixed],
  ];
  const skus = new Set<string>();
  let first: Source | undefined;
  for (const [source, ask] of sources) {
    for (const sku of await ask()) {
      if (skus.size === size) break;
      if (sku !== input.sku) skus.add(sku);
    }
    if (skus.size > 0) first ??= source;
    if (skus.size === size) break;
  }
  return { skus: [...skus], source: first ?? "fixed" };
}

async function boughtTogether({ pairs, logger }: RecommendDeps, sku: string, limit: number): Promise<string[]> {
  try {
    return await pairs.boughtTogether(sku, limit);
  } catch (error) {
    // A database that is away says so elsewhere, and not once a page.
    logger[error instanceof ConnectError ? "debug" : "error"]("cannot read what was bought together", { error });
    return [];
  }
}
