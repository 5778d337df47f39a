/** Something that must be true of the shop and is not. */
export interface Finding {
  /** What must be true: "ledger agrees with orders". */
  readonly invariant: string;
  /** `unresolved`: it may come right yet, but had the time to. */
  readonly kind: "lost" | "duplicated" | "unresolved" | "wrong";
  /** Whose: an order's id, a SKU, an event's id. */
  readonly subject: string;
  readonly detail: string;
}
