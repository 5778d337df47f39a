import { h } from "../dom.ts";
import type { Connection } from "../order-watch.ts";

/** A line that tells whether what one sees follows what is. */
export function connectionLine(liveWords: string): {
  readonly node: HTMLElement;
  show(connection: Connection): void;
} {
  const words: Record<Connection, string> = {
    live: liveWords,
    reconnecting: "Connection lost, trying again…",
    ended: "",
  };
  const node = h("p", { class: "connection" });
  return {
    node,
    show(connection) {
      node.textContent = words[connection];
      node.dataset.connection = connection;
    },
  };
}
