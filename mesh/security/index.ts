export { type Credentials, type CredentialsOptions, loadCredentials } from "./credentials.ts";
export { serviceNameOf, spiffeId, spiffeIdOf } from "./spiffe.ts";
