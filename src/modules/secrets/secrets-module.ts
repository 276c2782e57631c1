import type { FastifyInstance } from 'fastify';
import type { Database } from '#platform/database';
import type { Consumer } from '#platform/events';
import { createSecretMask } from './secret-mask.ts';
import { registerSecretRoutes } from './secret-routes.ts';
import { createSecretService, type SecretsApi } from './secret-service.ts';

export interface SecretsDeps {
  readonly database: Database;
  /** Where the key lies: in the home folder, made at the first start with mode 0600. */
  readonly keyFile: string;
}

export interface SecretsModule {
  readonly id: 'secrets';
  readonly api: SecretsApi;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
  start(): Promise<void>;
}

export function createSecretsModule({ database, keyFile }: SecretsDeps): SecretsModule {
  const api = createSecretService(keyFile, createSecretMask());
  return {
    id: 'secrets',
    api,
    consumers: [],
    routes: (app) => registerSecretRoutes(app, { database, api }),
    start: () => api.open(database.read),
  };
}
