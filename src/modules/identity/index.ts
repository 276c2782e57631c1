export type { AuthMode } from './authenticator.ts';
export { createIdentityModule, type IdentityDeps, type IdentityModule } from './identity-module.ts';
export type { IdentityApi, IssuedToken, NewToken } from './identity-service.ts';
export type { User } from './user-store.ts';
