import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { currentCall } from "@weft/mesh/context";
import { rpcError } from "@weft/mesh/contract";
import { type CartSchema, CartService } from "../../gen/shop/cart/v1/cart_pb.ts";
import type { PricedCart } from "./domain.ts";
import { type CartDeps, clearCart, getCart, mergeCarts, setItem } from "./usecases.ts";

/** CartService over the use cases. */
export function cartRoutes(deps: CartDeps): (router: ConnectRouter) => void {
  const service: ServiceImpl<typeof CartService> = {
    async getCart({ cartId, expectedVersion }) {
      assertMayTouch(cartId);
      return { cart: toProto(cartId, await getCart(deps, { cartId, expectedVersion })) };
    },

    async setItem({ cartId, sku, quantity }) {
      assertMayTouch(cartId);
      return { cart: toProto(cartId, await setItem(deps, { cartId, sku, quantity })) };
    },

    async mergeCarts({ visitorCartId, userCartId }) {
      assertMayTouch(userCartId);
      return { cart: toProto(userCartId, await mergeCarts(deps, { visitorCartId, userCartId })) };
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
