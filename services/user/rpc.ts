import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { requireEndUser } from "@weft/mesh/context";
import { ProfileSchema, type UserSchema, UserService } from "../../gen/shop/user/v1/user_pb.ts";
import type { User } from "./domain.ts";
import { getProfile, logIn, register, type UserDeps, updateProfile } from "./usecases.ts";

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

    async getProfile() {
      return { profile: await getProfile(deps, requireEndUser().userId) };
    },

    async updateProfile({ profile = create(ProfileSchema), updateMask }) {
      const { userId } = requireEndUser();
      return { profile: await updateProfile(deps, { userId, fields: profile, paths: updateMask?.paths ?? [] }) };
    },

    getJwks: () => ({ jwksJson: deps.tokens.jwksJson }),
  };
  return (router) => router.service(UserService, service);
}

function toProto({ registeredAt, ...user }: User): MessageInitShape<typeof UserSchema> {
  return { ...user, registeredAt: timestampFromDate(registeredAt) };
}
