// Preloaded (--import) by the mesh's processes, before any of its modules.
import { registerHooks } from "node:module";
import { countersOf, insertCounters } from "./insert-counters.ts";
import { stageCounters } from "./stage-counters.ts";

const root = new URL("../../../", import.meta.url).href;

countersOf();
registerHooks({
  load(url, context, nextLoad) {
    const result = nextLoad(url, context);
    if (!url.startsWith(root) || url.includes("/node_modules/")) return result;
    const { source } = insertCounters(url.slice(root.length), String(result.source), stageCounters);
    return source === undefined ? result : { ...result, source };
  },
});
