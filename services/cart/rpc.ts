import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { currentCall } from "@weft/mesh/context";
import { idempotencyKeyReused, requestHash, rpcError } from "@weft/mesh/contract";
import { type Cart as CartMessage, CartSchema, CartService } from "../../gen/shop/cart/v1/cart_pb.ts";
import type { PricedCart } from "./domain.ts";
import { type CartDeps, clearCart, getCart, mergeCarts, type Once, setItem } from "./usecases.ts";

/** CartService over the use cases. */
export function cartRoutes(deps: CartDeps): (router: ConnectRouter) => void {
  const service: ServiceImpl<typeof CartService> = {
    async getCart({ cartId, expectedVersion }) {
      assertMayTouch(cartId);
      return { cart: toProto(cartId, await getCart(deps, { cartId, expectedVersion })) };
    },

    async setItem(request) {
      const { cartId, sku, quantity } = request;
      assertMayTouch(cartId);
      const once = onceFor(cartId, CartService.method.setItem, request);
      return { cart: toProto(cartId, await setItem(deps, { cartId, sku, quantity }, once)) };
    },

    async mergeCarts(request) {
      const { visitorCartId, userCartId } = request;
      assertMayTouch(userCartId);
      const once = onceFor(userCartId, CartService.method.mergeCarts, request);
      return { cart: toProto(userCartId, await mergeCarts(deps, { visitorCartId, userCartId }, once)) };
    },

    async clearCart({ cartId }) {
      assertMayTouch(cartId);
      await clearCart(deps, cartId);
      return {};
    },
  };
  return (router) => router.service(CartService, service);
}

/** A customer touches his own cart only. Calls on nobody's behalf are the shop's own. @throws PERMISSION_DENIED */
function assertMayTouch(cartId: string): void {
  const userId = currentCall()?.endUser?.userId;
  if (userId === undefined || !cartId.startsWith("user:") || cartId === `user:${userId}`) return;
  throw rpcError(Code.PermissionDenied, "this is another customer's cart", { reason: "NOT_YOUR_CART" });
}

/** How a call with an idempotency key is answered once; undefined without one. Whoever knows a cart is its caller. */
function onceFor<I extends DescMessage>(
  cartId: string,
  { name, input }: { readonly name: string; readonly input: I },
  request: MessageShape<I>,
): Once | undefined {
  const key = currentCall()?.idempotencyKey;
  if (key === undefined) return undefined;
  const hash = requestHash(input, request);
  return {
    id: `${cartId}:${name}:${key}`,
    keep: (answer) => ({ requestHash: hash, answer: toText(create(CartSchema, toProto(cartId, answer))) }),
    repeat({ requestHash: first, answer }) {
      if (first !== hash) throw idempotencyKeyReused();
      return fromProto(fromText(answer));
    },
  };
}

function toText(cart: CartMessage): string {
  return Buffer.from(toBinary(CartSchema, cart)).toString("base64");
}

function fromText(text: string): CartMessage {
  return fromBinary(CartSchema, Buffer.from(text, "base64"));
}

/** A cart that was answered, to be answered again: what was in it then and what that cost, not what it is kept as. */
function fromProto({ lines, total, version, updatedAt, notice }: CartMessage): PricedCart {
  return {
    cart: { version: Number(version), updatedAtMs: updatedAt ? timestampMs(updatedAt) : 0, lines: [] },
    lines: lines.map(({ sku, name, quantity, unitPrice }) => ({ sku, name, quantity, unitPrice })),
    total,
    notices: notice === "" ? [] : [notice],
  };
}

function toProto(cartId: string, { cart, lines, total, notices }: PricedCart): MessageInitShape<typeof CartSchema> {
  return {
    cartId,
    lines: lines.map(({ sku, name, quantity, unitPrice }) => ({
      sku,
      name,
      quantity,
      ...(unitPrice && { unitPrice }),
    })),
    ...(total && { total }),
    version: BigInt(cart.version),
    ...(cart.version > 0 && { updatedAt: timestampFromMs(cart.updatedAtMs) }),
    notice: notices.join(" "),
  };
}
