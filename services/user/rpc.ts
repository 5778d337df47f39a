import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { requireEndUser } from "@weft/mesh/context";
import type { Idempotency } from "@weft/mesh/data";
import { ProfileSchema, type User as UserMessage, UserSchema, UserService } from "../../gen/shop/user/v1/user_pb.ts";
import { toProfile } from "./cached.ts";
import type { Profile, User } from "./domain.ts";
import { getProfile, isPasswordOf, logIn, register, type UserDeps, updateProfile } from "./usecases.ts";

/** UserService over the use cases. */
export function userRoutes(
  deps: UserDeps & { readonly idempotency: Pick<Idempotency, "method"> },
): (router: ConnectRouter) => void {
  const registering = deps.idempotency.method(UserService.method.register, {
    toAnswer: (user: User) => ({ user: toProto(user) }),
    fromAnswer: ({ user }) => toUser(user ?? create(UserSchema)),
    inClear: ["email", "display_name"],
    matches: ({ password }, user) => isPasswordOf(deps, user, password),
  });
  const updating = deps.idempotency.method(UserService.method.updateProfile, {
    toAnswer: (profile: Profile) => ({ profile }),
    fromAnswer: ({ profile }) => toProfile(profile ?? create(ProfileSchema)),
    inClear: ["profile.email", "profile.display_name", "profile.phone", "profile.push_token"],
  });
  const service: ServiceImpl<typeof UserService> = {
    async register(request) {
      const { email, password, displayName } = request;
      return { user: toProto(await register(deps, { email, password, displayName }, registering(request))) };
    },

    async logIn({ email, password }) {
      const { user, token, expiresInMs } = await logIn(deps, { email, password });
      return { accessToken: token, expiresIn: durationFromMs(expiresInMs), user: toProto(user) };
    },

    async getProfile() {
      return { profile: await getProfile(deps, requireEndUser().userId) };
    },

    async updateProfile(request) {
      const { userId } = requireEndUser();
      const { profile: fields = create(ProfileSchema), updateMask } = request;
      const input = { userId, fields, paths: updateMask?.paths ?? [] };
      return { profile: await updateProfile(deps, input, updating(request)) };
    },

    getJwks: () => ({ jwksJson: deps.tokens.jwksJson }),
  };
  return (router) => router.service(UserService, service);
}

function toProto({ registeredAt, ...user }: User): MessageInitShape<typeof UserSchema> {
  return { ...user, registeredAt: timestampFromDate(registeredAt) };
}

function toUser({ userId, email, displayName, registeredAt }: UserMessage): User {
  return { userId, email, displayName, registeredAt: registeredAt ? timestampDate(registeredAt) : new Date(0) };
}
