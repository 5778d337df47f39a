import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { type UserSchema, UserService } from "../../gen/shop/user/v1/user_pb.ts";
import type { User } from "./domain.ts";
import { logIn, register, type UserDeps } from "./usecases.ts";

/** UserService over the use cases. */
export function userRoutes(deps: UserDeps): (router: ConnectRouter) => void {
  const service: ServiceImpl<typeof UserService> = {
    async register({ email, password, displayName }) {
      return { user: toProto(await register(deps, { email, password, displayName })) };
    },

    async logIn({ email, password }) {
      const { user, token, expiresInMs } = await logIn(deps, { email, password });
      return { accessToken: token, expiresIn: durationFromMs(expiresInMs), user: toProto(user) };
    },

    getJwks: () => ({ jwksJson: deps.tokens.jwksJson }),
  };
  return (router) => router.service(UserService, service);
}

function toProto({ registeredAt, ...user }: User): MessageInitShape<typeof UserSchema> {
  return { ...user, registeredAt: timestampFromDate(registeredAt) };
}
