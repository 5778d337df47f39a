export { withFallback } from "../resilience/fallback.ts";
export { createMesh, type Mesh, type MeshOptions } from "./mesh.ts";
