import { type Static, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';
import { pageFields, pageOf } from './page.ts';

/** Each role holds what those before it hold. */
export const Role = Type.Enum(['viewer', 'editor', 'approver', 'admin'], {
  description: 'what it may do: each may what those before it may',
});
export type Role = Static<typeof Role>;

export const TokenKind = Type.Enum(['user', 'step', 'replica']);
export type TokenKind = Static<typeof TokenKind>;

export const identityEvents = defineEvents({
  'user.created': Type.Object({}),
  'user.disabled': Type.Object({}),
  'role.changed': Type.Object({
    user: Type.String(),
    scope: Type.String({ description: 'a project, or * for all' }),
    role: Type.Optional(Role),
  }),
  'token.issued': Type.Object({ tokenId: Type.String(), kind: TokenKind, scope: Type.String() }),
  'token.revoked': Type.Object({ tokenId: Type.String(), kind: TokenKind }),
});

const UserName = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$', description: 'name of the user' });
const instant = (description: string) => Type.String({ format: 'date-time', description });

const WhoAmI = Type.Object({
  id: Type.String({ description: 'user:<name>, token:<id>, step:<attempt>, replica:<pool>/<name>' }),
  project: Type.String(),
  permissions: Type.Array(Type.String(), { description: 'what the caller may do in this project' }),
});

export const whoAmI = defineOperation({
  id: 'identity.whoami',
  method: 'GET',
  path: '/api/v1/whoami',
  summary: 'Show who the caller is and what they may do in the project.',
  permission: 'read',
  responses: { 200: WhoAmI },
});

const User = Type.Object({
  name: Type.String(),
  roles: Type.Array(Type.Object({ project: Type.String({ description: '* is all projects' }), role: Role })),
  disabled: Type.Boolean(),
  createdAt: instant('when the user was made'),
});
export type UserView = Static<typeof User>;

export const listUsers = defineOperation({
  id: 'users.list',
  method: 'GET',
  path: '/api/v1/users',
  summary: 'List users by name; roles in other projects are shown to admins of all projects alone.',
  permission: 'admin',
  query: Type.Object({ ...pageFields }, { additionalProperties: false }),
  responses: { 200: pageOf(User) },
});

export const getUser = defineOperation({
  id: 'users.get',
  method: 'GET',
  path: '/api/v1/users/:name',
  summary: 'Show a user; roles in other projects are shown to admins of all projects alone.',
  permission: 'admin',
  params: Type.Object({ name: UserName }),
  responses: { 200: User, 404: ErrorBody },
  errors: ['USER_NOT_FOUND'],
});

export const createUser = defineOperation({
  id: 'users.create',
  method: 'POST',
  path: '/api/v1/users',
  summary: 'Create a user, with a role in this project when one is given.',
  permission: 'admin',
  body: Type.Object({ name: UserName, role: Type.Optional(Role) }, { additionalProperties: false }),
  responses: { 201: User, 409: ErrorBody },
  errors: ['USER_EXISTS'],
});

export const setUserRole = defineOperation({
  id: 'users.set-role',
  method: 'PUT',
  path: '/api/v1/users/:name/role',
  summary: "Set a user's role in this project, or in all of them; null takes it away.",
  permission: 'admin',
  params: Type.Object({ name: UserName }),
  body: Type.Object(
    {
      role: Type.Union([Role, Type.Null()]),
      allProjects: Type.Optional(
        Type.Boolean({ default: false, description: 'in all projects, not only that of this request' }),
      ),
    },
    { additionalProperties: false },
  ),
  responses: { 200: User, 403: ErrorBody, 404: ErrorBody },
  errors: ['USER_NOT_FOUND', 'ADMIN_OF_ALL_REQUIRED'],
});

export const disableUser = defineOperation({
  id: 'users.disable',
  method: 'DELETE',
  path: '/api/v1/users/:name',
  summary: 'Disable a user: their tokens stop working. What they did keeps their name.',
  permission: 'admin',
  params: Type.Object({ name: UserName }),
  responses: { 200: User, 403: ErrorBody, 404: ErrorBody },
  errors: ['USER_NOT_FOUND', 'ADMIN_OF_ALL_REQUIRED'],
});

const Token = Type.Object({
  id: Type.String(),
  kind: TokenKind,
  name: Type.String(),
  user: Type.Optional(Type.String()),
  project: Type.Optional(Type.String({ description: 'absent: all projects' })),
  role: Type.Optional(Role),
  pool: Type.Optional(Type.String()),
  attempt: Type.Optional(Type.String()),
  issuedBy: Type.String(),
  createdAt: instant('when it was issued'),
  expiresAt: Type.Optional(instant('when it stops working by itself')),
  revokedAt: Type.Optional(instant('when it was taken back')),
});
export type TokenView = Static<typeof Token>;

export const listTokens = defineOperation({
  id: 'tokens.list',
  method: 'GET',
  path: '/api/v1/tokens',
  summary:
    'List the tokens that people made, of this project (for admins of all projects: of every one), newest first; with internal also those that the server gives its steps and its data plane.',
  permission: 'admin',
  sensitive: 'project',
  query: Type.Object(
    {
      ...pageFields,
      kind: Type.Optional(TokenKind),
      internal: Type.Optional(Type.Boolean({ description: 'also those of steps and of the data plane of its own' })),
    },
    { additionalProperties: false },
  ),
  responses: { 200: pageOf(Token) },
});

const tokenParams = Type.Object({ tokenId: Type.String({ minLength: 1, maxLength: 100 }) });

export const getToken = defineOperation({
  id: 'tokens.get',
  method: 'GET',
  path: '/api/v1/tokens/:tokenId',
  summary: 'Show what a token is for and how long it works; never the token itself.',
  permission: 'admin',
  params: tokenParams,
  responses: { 200: Token, 404: ErrorBody },
  errors: ['TOKEN_NOT_FOUND'],
});

export const createToken = defineOperation({
  id: 'tokens.create',
  method: 'POST',
  path: '/api/v1/tokens',
  summary: 'Issue a token. The answer is the only time that it is shown.',
  secretAnswer: true,
  permission: 'admin',
  body: Type.Object(
    {
      name: Type.String({ minLength: 1, maxLength: 100, description: 'what it is for' }),
      kind: Type.Optional(
        Type.Enum(['user', 'replica'], {
          description: 'user: for people and programs (default); replica: for a data plane',
        }),
      ),
      user: Type.Optional(UserName),
      role: Type.Optional(Role),
      pool: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'for kind replica' })),
      allProjects: Type.Optional(Type.Boolean({ description: 'for all projects, not only the one of this request' })),
      expiresAt: Type.Optional(instant('when it stops working by itself; never, when absent')),
    },
    { additionalProperties: false },
  ),
  responses: {
    201: Type.Object({ token: Type.String({ description: 'the secret itself' }), info: Token }),
    400: ErrorBody,
    403: ErrorBody,
    404: ErrorBody,
  },
  errors: ['TOKEN_SCOPE_INVALID', 'USER_NOT_FOUND', 'ADMIN_OF_ALL_REQUIRED'],
});

export const revokeToken = defineOperation({
  id: 'tokens.revoke',
  method: 'DELETE',
  path: '/api/v1/tokens/:tokenId',
  summary: 'Revoke a token: it stops working at once.',
  permission: 'admin',
  params: tokenParams,
  responses: { 200: Token, 404: ErrorBody },
  errors: ['TOKEN_NOT_FOUND'],
});
