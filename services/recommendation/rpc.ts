import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { RecommendationService, RecommendationSource } from "../../gen/shop/recommendation/v1/recommendation_pb.ts";
import type { Source } from "./domain.ts";
import { type RecommendDeps, recommend } from "./usecases.ts";

const sources: Readonly<Record<Source, RecommendationSource>> = {
  "bought together": RecommendationSource.BOUGHT_TOGETHER,
  popular: RecommendationSource.POPULAR,
  fixed: RecommendationSource.STATIC,
};

/** RecommendationService over the use case. `onAnswer` is told where each answer came from. */
export function recommendationRoutes(
  deps: RecommendDeps,
  onAnswer: (source: Source) => void,
): (router: ConnectRouter) => void {
  const service: ServiceImpl<typeof RecommendationService> = {
    async listRecommendations({ sku, pageSize }) {
      const { skus, source } = await recommend(deps, { sku, pageSize });
      onAnswer(source);
      return { skus, source: sources[source] };
    },
  };
  return (router) => router.service(RecommendationService, service);
}
