import type { FastifyInstance } from 'fastify';
import type { Clock } from '#platform/clock';
import type { Database } from '#platform/database';
import type { Consumer } from '#platform/events';
import { ensureAdminToken } from './admin-token.ts';
import { type AuthMode, createAuthenticator } from './authenticator.ts';
import { registerIdentityRoutes } from './identity-routes.ts';
import { createIdentityService, type IdentityApi } from './identity-service.ts';

export interface IdentityDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly auth: AuthMode;
  /** With `auth: 'required'`: where the first admin's token is put at the start, readable by the server's user alone. */
  readonly adminTokenFile?: string;
}

export interface IdentityModule {
  readonly id: 'identity';
  readonly api: IdentityApi;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
  start(): Promise<void>;
}

export function createIdentityModule(deps: IdentityDeps): IdentityModule {
  const { database, auth, adminTokenFile } = deps;
  const api = createIdentityService(createAuthenticator(deps));
  return {
    id: 'identity',
    api,
    consumers: [],
    routes: (app) => registerIdentityRoutes(app, { database, api }),
    async start() {
      if (auth === 'required' && adminTokenFile !== undefined) await ensureAdminToken(database, adminTokenFile);
    },
  };
}
