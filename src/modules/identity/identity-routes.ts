import type { FastifyInstance } from 'fastify';
import {
  createToken,
  createUser,
  disableUser,
  getToken,
  getUser,
  listTokens,
  listUsers,
  revokeToken,
  setUserRole,
  type TokenView,
  type UserView,
  whoAmI,
} from '#contracts/identity';
import { defaultPageLimit } from '#contracts/page';
import { toRfc3339 } from '#contracts/rfc3339';
import type { Database, Reader } from '#platform/database';
import { type Principal, type RequestContext, registerOperation } from '#platform/http';
import { decodeCursor, toPage } from '#platform/sql';
import { identityErrors } from './identity-errors.ts';
import type { IdentityApi } from './identity-service.ts';
import { allProjects, permissions } from './permission-rules.ts';
import { findToken, listTokensBefore, type Token } from './token-store.ts';
import { listUsersAfter, type User } from './user-store.ts';

const toUserView = (user: User, isShown: (project: string) => boolean): UserView => ({
  name: user.name,
  roles: [...user.roles].filter(([project]) => isShown(project)).map(([project, role]) => ({ project, role })),
  disabled: user.disabledMs !== undefined,
  createdAt: toRfc3339(user.createdMs),
});

const toTokenView = (token: Token): TokenView => ({
  id: token.id,
  kind: token.kind,
  name: token.name,
  ...(token.user !== undefined && { user: token.user }),
  ...(token.project !== undefined && { project: token.project }),
  ...(token.role !== undefined && { role: token.role }),
  ...(token.pool !== undefined && { pool: token.pool }),
  ...(token.attempt !== undefined && { attempt: token.attempt }),
  issuedBy: token.issuedBy,
  createdAt: toRfc3339(token.createdMs),
  ...(token.expiresMs !== undefined && { expiresAt: toRfc3339(token.expiresMs) }),
  ...(token.revokedMs !== undefined && { revokedAt: toRfc3339(token.revokedMs) }),
});

const isAdminOfAll = (principal: Principal): boolean => principal.can('admin', allProjects);

function requireAdminOfAll(principal: Principal): void {
  if (!isAdminOfAll(principal)) throw identityErrors.ADMIN_OF_ALL_REQUIRED();
}

/** Roles in other projects are nobody's business but an admin's of all projects. */
const shownTo = (principal: Principal, here: string) => (project: string) =>
  project === here || project === allProjects || isAdminOfAll(principal);

interface RouteDeps {
  readonly database: Database;
  readonly api: IdentityApi;
}

export function registerIdentityRoutes(app: FastifyInstance, deps: RouteDeps): void {
  registerOperation(app, whoAmI, async ({ context: { principal, project } }, answer) =>
    answer(200, {
      id: principal.id,
      project,
      permissions: permissions.filter((permission) => principal.can(permission, project)),
    }),
  );
  registerUserRoutes(app, deps);
  registerTokenRoutes(app, deps);
}

function registerUserRoutes(app: FastifyInstance, { database, api }: RouteDeps): void {
  registerOperation(app, listUsers, async ({ query, context }, answer) => {
    const limit = query.limit ?? defaultPageLimit;
    const after = query.cursor === undefined ? undefined : String(decodeCursor(query.cursor)[0]);
    const page = await listUsersAfter(database.read, after, limit + 1);
    const { shown, ...more } = toPage(page, limit, (last) => [last.name]);
    return answer(200, {
      items: shown.map((user) => toUserView(user, shownTo(context.principal, context.project))),
      ...more,
    });
  });

  registerOperation(app, getUser, async ({ params, context }, answer) =>
    answer(200, toUserView(await api.getUser(database.read, params.name), shownTo(context.principal, context.project))),
  );

  registerOperation(app, createUser, async ({ body, context }, answer) => {
    const { project } = context;
    const user = await database.write(context.write, async (unit) => {
      await api.createUser(unit, body.name);
      if (body.role !== undefined) await api.setRole(unit, { user: body.name, project, role: body.role });
      return await api.getUser(unit, body.name);
    });
    return answer(201, toUserView(user, shownTo(context.principal, project)));
  });

  registerOperation(app, setUserRole, async ({ params, body, context }, answer) => {
    if (body.allProjects === true) requireAdminOfAll(context.principal);
    const project = body.allProjects === true ? allProjects : context.project;
    const user = await database.write(context.write, async (unit) => {
      await api.setRole(unit, { user: params.name, project, ...(body.role !== null && { role: body.role }) });
      return await api.getUser(unit, params.name);
    });
    return answer(200, toUserView(user, shownTo(context.principal, context.project)));
  });

  registerOperation(app, disableUser, async ({ params, context }, answer) => {
    requireAdminOfAll(context.principal);
    const user = await database.write(context.write, async (unit) => {
      await api.disableUser(unit, params.name);
      return await api.getUser(unit, params.name);
    });
    return answer(
      200,
      toUserView(user, () => true),
    );
  });
}

function registerTokenRoutes(app: FastifyInstance, { database, api }: RouteDeps): void {
  registerOperation(app, listTokens, async ({ query, context }, answer) => {
    const limit = query.limit ?? defaultPageLimit;
    const page = await listTokensBefore(database.read, {
      project: isAdminOfAll(context.principal) ? undefined : context.project,
      kind: query.kind,
      internal: query.internal ?? false,
      beforeId: query.cursor === undefined ? undefined : String(decodeCursor(query.cursor)[0]),
      limit: limit + 1,
    });
    const { shown, ...more } = toPage(page, limit, (last) => [last.id]);
    return answer(200, { items: shown.map(toTokenView), ...more });
  });

  registerOperation(app, getToken, async ({ params, context }, answer) =>
    answer(200, toTokenView(await reachableToken(database.read, params.tokenId, context))),
  );

  registerOperation(app, createToken, async ({ body, context }, answer) => {
    const everywhere = body.allProjects === true || body.kind === 'replica'; // a pool serves every project
    if (everywhere) requireAdminOfAll(context.principal);
    const { issued, info } = await database.write(context.write, async (unit) => {
      const made = await api.issueToken(unit, {
        kind: body.kind ?? 'user',
        name: body.name,
        ...(body.user !== undefined && { user: body.user }),
        ...(!everywhere && { project: context.project }),
        ...(body.role !== undefined && { role: body.role }),
        ...(body.pool !== undefined && { scope: { pool: body.pool } }),
        ...(body.expiresAt !== undefined && { expiresAtMs: Date.parse(body.expiresAt) }),
      });
      const stored = await findToken(unit, made.id);
      if (stored === undefined) throw identityErrors.TOKEN_NOT_FOUND(made.id);
      return { issued: made, info: stored };
    });
    return answer(201, { token: issued.token, info: toTokenView(info) });
  });

  registerOperation(app, revokeToken, async ({ params, context }, answer) => {
    const token = await database.write(context.write, async (unit) => {
      const known = await reachableToken(unit, params.tokenId, context);
      await api.revokeToken(unit, known.id);
      return (await findToken(unit, known.id)) ?? known;
    });
    return answer(200, toTokenView(token));
  });
}

/** A token of another project is there for admins of all projects alone. */
async function reachableToken(reader: Reader, id: string, { principal, project }: RequestContext): Promise<Token> {
  const known = await findToken(reader, id);
  if (known === undefined || (known.project !== project && !isAdminOfAll(principal)))
    throw identityErrors.TOKEN_NOT_FOUND(id);
  return known;
}
