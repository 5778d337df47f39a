import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Profile as PublicProfile } from "../../gen/shop/api/v1/account_pb.ts";
import type { CartSchema } from "../../gen/shop/api/v1/cart_pb.ts";
import type { ProductSchema } from "../../gen/shop/api/v1/catalog_pb.ts";
import { type OrderSchema, OrderState, type OrderSummarySchema } from "../../gen/shop/api/v1/order_pb.ts";
import type { ParcelSchema } from "../../gen/shop/api/v1/warehouse_pb.ts";
import type { Cart } from "../../gen/shop/cart/v1/cart_pb.ts";
import type { Product } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { OrderState as InnerOrderState, type Order, type OrderSummary } from "../../gen/shop/order/v1/order_pb.ts";
import { picturePath } from "./picture-pages.ts";

/** A product as the outside sees it: its version and the time of its change stay inside. */
export function toProduct(product: Product): MessageInitShape<typeof ProductSchema> {
  const { sku, name, description, category, price } = product;
  return { sku, name, description, category, picturePath: picturePath(sku), ...(price && { price }) };
}

/** A profile as its owner sees it, and back. */
export function toProfile(profile: Omit<PublicProfile, "$typeName">) {
  const { email, displayName, phone, pushToken, notifyByEmail, notifyBySms, notifyByPush } = profile;
  return { email, displayName, phone, pushToken, notifyByEmail, notifyBySms, notifyByPush };
}

/** A cart as its owner sees it. */
export function toCart({ lines, total, version, notice }: Cart): MessageInitShape<typeof CartSchema> {
  return {
    lines: lines.map(({ sku, name, quantity, unitPrice }) => ({
      ...{ sku, name, quantity, picturePath: picturePath(sku) },
      ...(unitPrice && { unitPrice }),
    })),
    ...(total && { total }),
    version,
    notice,
  };
}

/** An order as its customer sees it. */
export function toOrder(order: Order): MessageInitShape<typeof OrderSchema> {
  const { orderId, total, cancelReason, paymentInstructions, trackingNumber } = order;
  return {
    orderId,
    state: toOrderState(order.state),
    lines: order.lines.map(({ sku, name, quantity, unitPrice }) => ({
      ...{ sku, name, quantity },
      ...(unitPrice && { unitPrice }),
    })),
    ...(total && { total }),
    ...{ cancelReason, paymentInstructions, trackingNumber },
    history: order.history.map(({ state, enteredAt }) => ({
      state: toOrderState(state),
      ...(enteredAt && { enteredAt }),
    })),
  };
}

/** An order as its customer's history shows it. */
export function toOrderSummary(summary: OrderSummary): MessageInitShape<typeof OrderSummarySchema> {
  const { orderId, state, total, itemCount, placedAt } = summary;
  return { orderId, state: toOrderState(state), itemCount, ...(total && { total }), ...(placedAt && { placedAt }) };
}

/** An order as the warehouse sees it: not whose it is, nor what it cost. */
export function toParcel(order: Order): MessageInitShape<typeof ParcelSchema> {
  const stateSince = order.history.at(-1)?.enteredAt;
  return {
    orderId: order.orderId,
    state: toOrderState(order.state),
    lines: order.lines.map(({ sku, name, quantity }) => ({ sku, name, quantity })),
    ...(stateSince && { stateSince }),
    trackingNumber: order.trackingNumber,
  };
}

const publicStates: Readonly<Partial<Record<InnerOrderState, OrderState>>> = {
  [InnerOrderState.PLACED]: OrderState.PLACED,
  [InnerOrderState.RESERVED]: OrderState.RESERVED,
  [InnerOrderState.AWAITING_PAYMENT]: OrderState.AWAITING_PAYMENT,
  [InnerOrderState.CONFIRMED]: OrderState.CONFIRMED,
  [InnerOrderState.PAID]: OrderState.PAID,
  [InnerOrderState.CANCELLED]: OrderState.CANCELLED,
  [InnerOrderState.SHIPPED]: OrderState.SHIPPED,
  [InnerOrderState.DELIVERED]: OrderState.DELIVERED,
};

/** A state that the public API has no word for yet is UNSPECIFIED there. */
function toOrderState(state: InnerOrderState): OrderState {
  return publicStates[state] ?? OrderState.UNSPECIFIED;
}

/** The inside's word for a state that the warehouse works on; the contract lets no other through. */
export function toInnerState(state: OrderState): InnerOrderState {
  return state === OrderState.SHIPPED ? InnerOrderState.SHIPPED : InnerOrderState.PAID;
}

/** The one field of an inner service's answer, as the outside sees it. */
export function mapped<Field extends string, Inner, Outer>(
  field: Field,
  answer: { readonly [key in Field]?: Inner | undefined },
  toOuter: (inner: Inner) => Outer,
): { [key in Field]?: Outer } {
  const inner = answer[field];
  return (inner === undefined ? {} : { [field]: toOuter(inner) }) as { [key in Field]?: Outer };
}
