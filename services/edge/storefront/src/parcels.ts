import type { Parcel } from "../../../../gen/shop/api/v1/warehouse_pb.ts";

/** The number on the label that the shop's printer makes for an order: always the same, so that shipping twice is once. */
export function labelNumber(orderId: string): string {
  return `WEFT-${orderId
    .replaceAll(/[^A-Za-z0-9]/g, "")
    .slice(-10)
    .toUpperCase()}`;
}

/** "2 × French press, 0.8 l", and how many lines more there are. */
export function parcelName({ lines }: Pick<Parcel, "lines">): string {
  const [first, ...more] = lines;
  const name = first === undefined ? "nothing" : `${first.quantity} × ${first.name}`;
  return more.length === 0 ? name : `${name} and ${more.length} more`;
}

/** Pages of a list read one after the other. */
export interface PageOfParcels {
  readonly parcels: readonly Parcel[];
  readonly nextPageToken: string;
}

/** Reads at least so many of the first parcels, if there are so many. */
export async function readFirst(
  list: (pageToken: string) => Promise<PageOfParcels>,
  count: number,
): Promise<PageOfParcels> {
  const parcels: Parcel[] = [];
  let nextPageToken = "";
  do {
    const page = await list(nextPageToken);
    parcels.push(...page.parcels);
    nextPageToken = page.nextPageToken;
  } while (nextPageToken !== "" && parcels.length < count);
  return { parcels, nextPageToken };
}
