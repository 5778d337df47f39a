import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";
import { type OrderPlaced, OrderPlacedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import type { Money } from "./domain.ts";

/** What a customer asks for: explicit lines, no price. */
export interface RequestedLine {
  readonly sku: string;
  readonly quantity: number;
}

/** What the catalog knows of a product. */
export interface PricedProduct {
  readonly sku: string;
  readonly name: string;
  readonly price: Money;
}

/** The most that one order may cost, in minor units: the contract's bound on an amount (shop.type.v1.Money). */
export const totalMinorUnitsMax = 1_000_000_000_000n;

/** Refuses lines that name a product twice. @throws ConnectError INVALID_ARGUMENT naming each such line */
export function checkLines(lines: readonly RequestedLine[]): void {
  const seen = new Set<string>();
  const violations = lines.flatMap(({ sku }, index) => {
    if (seen.has(sku)) return [{ field: `lines[${index}].sku`, description: `${sku} is in the order already` }];
    seen.add(sku);
    return [];
  });
  if (violations.length > 0) throw invalid("each product once: add up the quantities", "DUPLICATE_SKU", violations);
}

/**
 * Prices an order and makes its first event. All prices come from the catalog.
 *
 * @throws ConnectError INVALID_ARGUMENT naming the lines whose product is unknown, or if the whole costs more than one order
 * may; FAILED_PRECONDITION naming the lines whose product costs another currency than the first line's
 */
export function priceOrder(
  order: { readonly orderId: string; readonly userId: string; readonly lines: readonly RequestedLine[] },
  products: ReadonlyMap<string, PricedProduct>,
): OrderPlaced {
  const violations: Violation[] = [];
  const lines = order.lines.flatMap(({ sku, quantity }, index) => {
    const product = products.get(sku);
    if (product !== undefined) return [{ sku, quantity, name: product.name, unitPrice: product.price, index }];
    violations.push({ field: `lines[${index}].sku`, description: `there is no product ${sku}` });
    return [];
  });
  if (violations.length > 0) throw invalid("the catalog does not have all products", "UNKNOWN_PRODUCT", violations);
  const currencyCode = lines[0]?.unitPrice.currencyCode ?? "";
  for (const { sku, unitPrice, index } of lines) {
    if (unitPrice.currencyCode === currencyCode) continue;
    const description = `${sku} costs ${unitPrice.currencyCode}, the first line ${currencyCode}`;
    violations.push({ field: `lines[${index}].sku`, description });
  }
  if (violations.length > 0) throw mixedCurrencies(violations);
  const minorUnits = lines.reduce((sum, line) => sum + line.unitPrice.minorUnits * BigInt(line.quantity), 0n);
  if (minorUnits > totalMinorUnitsMax) {
    const description = `the order costs ${minorUnits} minor units; the most is ${totalMinorUnitsMax}`;
    throw invalid("the order costs too much", "TOTAL_TOO_LARGE", [{ field: "lines", description }]);
  }
  return create(OrderPlacedSchema, {
    orderId: order.orderId,
    userId: order.userId,
    lines: lines.map(({ index: _, ...line }) => line),
    total: { currencyCode, minorUnits },
  });
}

interface Violation {
  readonly field: string;
  readonly description: string;
}

function invalid(message: string, reason: string, violations: readonly Violation[]) {
  return rpcError(Code.InvalidArgument, `${message}: ${firstOf(violations)}`, { reason, violations });
}

/** Nothing is wrong with the request: it is what the catalog asks for the products that does not go together. */
function mixedCurrencies(violations: readonly Violation[]) {
  return rpcError(Code.FailedPrecondition, `one order, one currency: ${firstOf(violations)}`, {
    reason: "MIXED_CURRENCIES",
    violations,
  });
}

function firstOf([first]: readonly Violation[]): string {
  return first === undefined ? "" : `${first.field}: ${first.description}`;
}
