export type { SagaAdmin, SagaStatus, SagaStep } from "./admin-sagas.ts";
export { readTrustedProxies, type TrustedProxies } from "./client-address.ts";
export { loadMeshConfig, type MeshConfig } from "./config.ts";
export { createInProcessNetwork, type InProcessNetwork } from "./in-process-network.ts";
export { createOperatorCheck } from "./operator.ts";
export type { PageRequest, PageResponse, Pages } from "./public-page.ts";
export { type PublicServerOptions, servePublic } from "./public-server.ts";
export { runMain } from "./run-main.ts";
export { type Operations, type RunningServer, type ServeOptions, serve } from "./serve.ts";
