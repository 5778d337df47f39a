import type { Parcel } from "../../../../../gen/shop/api/v1/warehouse_pb.ts";
import { h } from "../dom.ts";
import type { ParcelRow } from "./parcel-row.ts";

export interface ParcelList {
  readonly node: HTMLElement;
  /** How many rows there are. */
  count(): number;
  /** Shows these; rows that stay are left as they are, with what somebody has typed and with the focus. */
  show(parcels: readonly Parcel[]): void;
  /** Takes out what is done. The focus goes to the work that moves up, or to the one before; false if none is left. */
  remove(orderId: string): boolean;
  focusAt(index: number): void;
  /** Takes all rows out: they are to come in another order. */
  clear(): void;
}

/** Parcels as rows that outlive a refresh. */
export function parcelList(makeRow: (parcel: Parcel) => ParcelRow): ParcelList {
  const node = h("ul", { class: "parcels" });
  const rows = new Map<string, ParcelRow>();
  /** An answer that was under way when the work was done still tells of it. */
  const done = new Set<string>();
  const ordered = (): ParcelRow[] => [...node.children].flatMap((child) => rows.get(idOf(child)) ?? []);

  return {
    node,
    count: () => rows.size,
    show(parcels) {
      const wanted = parcels.filter(({ orderId }) => !done.has(orderId));
      const ids = new Set(wanted.map(({ orderId }) => orderId));
      for (const [orderId, row] of rows) {
        if (ids.has(orderId) || row.hasProblem()) continue;
        row.node.remove();
        rows.delete(orderId);
      }
      let before: Element | null = null;
      for (const parcel of wanted) {
        const row = rows.get(parcel.orderId) ?? makeRow(parcel);
        rows.set(parcel.orderId, row);
        // Only the new ones: moving a row would take the focus from it.
        if (row.node.parentElement !== node)
          node.insertBefore(row.node, before === null ? node.firstChild : before.nextSibling);
        before = row.node;
        row.tick(Date.now());
      }
    },
    remove(orderId) {
      done.add(orderId);
      const row = rows.get(orderId);
      const all = ordered();
      const index = row === undefined ? -1 : all.indexOf(row);
      const next = all[index + 1] ?? all[index - 1];
      row?.node.remove();
      rows.delete(orderId);
      next?.focus();
      return next !== undefined;
    },
    clear() {
      node.replaceChildren();
      rows.clear();
    },
    focusAt: (index) => ordered()[index]?.focus(),
  };
}

function idOf(child: Element): string {
  return child instanceof HTMLElement ? (child.dataset.order ?? "") : "";
}
