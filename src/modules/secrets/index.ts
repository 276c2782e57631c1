export type { SecretBlotter } from './secret-mask.ts';
export type { SecretsApi } from './secret-service.ts';
export type { Secret } from './secret-store.ts';
export { createSecretsModule, type SecretsDeps, type SecretsModule } from './secrets-module.ts';
