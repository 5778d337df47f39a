export { createMesh, type Mesh, type MeshOptions } from "./mesh.ts";
