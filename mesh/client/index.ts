export { type Breaker, type BreakerState, createBreaker } from "../resilience/breaker.ts";
export { withFallback } from "../resilience/fallback.ts";
export { createMesh, type Mesh, type MeshOptions } from "./mesh.ts";
