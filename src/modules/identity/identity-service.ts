import { randomBytes } from 'node:crypto';
import type { Role, TokenKind } from '#contracts/identity';
import type { Reader, Unit } from '#platform/database';
import type { Authenticate } from '#platform/http';
import { type Authenticator, digestOf } from './authenticator.ts';
import { identityErrors } from './identity-errors.ts';
import { allProjects, roleAllows, roleIn } from './permission-rules.ts';
import { findToken, insertToken, listLiveTokens, markRevoked, type Token } from './token-store.ts';
import { findUser, findUsers, insertUser, markDisabled, putRole, type User } from './user-store.ts';

export interface NewToken {
  readonly kind: TokenKind;
  /** What it is for; of a replica, the replica's name. */
  readonly name: string;
  /** The person whom a `user` token stands for; without one it has a role of its own. */
  readonly user?: string;
  /** Undefined: all projects. A step's token always has one. */
  readonly project?: string;
  /** Of a `user` token without a user: required. Of a step: what it may do in its project, default `editor`. */
  readonly role?: Role;
  readonly scope?: { readonly attempt?: string; readonly pool?: string };
  readonly expiresAtMs?: number;
}

export interface IssuedToken {
  readonly id: string;
  /** The secret itself; nobody can read it again. */
  readonly token: string;
  /** SHA-256 of it, in hexadecimal digits. */
  readonly digest: string;
}

/** A token that may read a project now. */
export interface ReaderToken {
  readonly digest: string;
  readonly principal: string;
  readonly expiresAtMs?: number;
}

/** Principals, their tokens and roles. */
export interface IdentityApi {
  /** Who sends a request, by `Authorization: Bearer` or Basic. Errors of kind `unauthenticated`. */
  readonly authenticate: Authenticate;
  /** TOKEN_SCOPE_INVALID, USER_NOT_FOUND. */
  issueToken(unit: Unit, token: NewToken): Promise<IssuedToken>;
  /** Takes a token back; one that is back already stays so. TOKEN_NOT_FOUND. */
  revokeToken(unit: Unit, id: string): Promise<void>;
  /** Digests of the people's tokens that may read a project now: what the data plane checks its callers against. */
  readerDigests(reader: Reader, project: string, nowMs: number): Promise<readonly string[]>;
  /** The same with whom each token stands for: `user:<name>`, else `token:<id>`. */
  readerTokens(reader: Reader, project: string, nowMs: number): Promise<readonly ReaderToken[]>;
  /** USER_EXISTS, USER_NAME_INVALID. */
  createUser(unit: Unit, name: string): Promise<void>;
  /** `project` `*` is all of them; no role takes it away. USER_NOT_FOUND. */
  setRole(unit: Unit, change: { readonly user: string; readonly project: string; readonly role?: Role }): Promise<void>;
  /** Ends every token of a user; the name stays taken. USER_NOT_FOUND. */
  disableUser(unit: Unit, name: string): Promise<void>;
  /** USER_NOT_FOUND. */
  getUser(reader: Reader, name: string): Promise<User>;
}

const kindMarks: Readonly<Record<TokenKind, string>> = { user: 'u', step: 's', replica: 'r' };
const userNameShape = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$/;

/** 256 random bits behind a mark by which people and secret scanners know what they found. */
export const makeToken = (kind: TokenKind): string => `tm${kindMarks[kind]}_${randomBytes(32).toString('base64url')}`;

async function getUser(reader: Reader, name: string): Promise<User> {
  const user = await findUser(reader, name);
  if (user === undefined) throw identityErrors.USER_NOT_FOUND(name);
  return user;
}

async function listReaderTokens(reader: Reader, project: string, nowMs: number): Promise<readonly Token[]> {
  const tokens = await listLiveTokens(reader, project, nowMs);
  const names = [...new Set(tokens.flatMap(({ user }) => user ?? []))];
  const users = new Map((await findUsers(reader, names)).map((user) => [user.name, user]));
  return tokens.filter((token) => mayRead(token, users, project));
}

export function createIdentityService(authenticator: Authenticator): IdentityApi {
  return {
    authenticate: authenticator.authenticate,
    getUser,

    async issueToken(unit, token) {
      checkScope(token);
      if (token.user !== undefined) await getUser(unit, token.user);
      const secret = makeToken(token.kind);
      const stored = toToken(unit, token, unit.newId(), digestOf(secret));
      await insertToken(unit, stored);
      // Steps' tokens come and go with every attempt, whose own events tell of them.
      if (token.kind !== 'step')
        await unit.emit({
          type: 'token.issued',
          project: token.project ?? 'default',
          subject: `token:${stored.id}`,
          data: { tokenId: stored.id, kind: token.kind, scope: token.project ?? allProjects },
        });
      return { id: stored.id, token: secret, digest: stored.digest };
    },

    async revokeToken(unit, id) {
      const token = await markRevoked(unit, id);
      if (token === undefined) {
        if ((await findToken(unit, id)) === undefined) throw identityErrors.TOKEN_NOT_FOUND(id);
        return;
      }
      unit.afterCommit(authenticator.forget);
      if (token.kind !== 'step')
        await unit.emit({
          type: 'token.revoked',
          project: token.project ?? 'default',
          subject: `token:${id}`,
          data: { tokenId: id, kind: token.kind },
        });
    },

    async readerDigests(reader, project, nowMs) {
      const tokens = await listReaderTokens(reader, project, nowMs);
      return tokens.map(({ digest }) => digest);
    },

    async readerTokens(reader, project, nowMs) {
      const tokens = await listReaderTokens(reader, project, nowMs);
      return tokens.map(({ digest, user, id, expiresMs }) => ({
        digest,
        principal: user === undefined ? `token:${id}` : `user:${user}`,
        ...(expiresMs !== undefined && { expiresAtMs: expiresMs }),
      }));
    },

    async createUser(unit, name) {
      if (!userNameShape.test(name)) throw identityErrors.USER_NAME_INVALID(name);
      if (name === 'local' || !(await insertUser(unit, name))) throw identityErrors.USER_EXISTS(name);
      await unit.emit({ type: 'user.created', project: 'default', subject: `user:${name}`, data: {} });
    },

    async setRole(unit, { user: name, project, role }) {
      const user = await getUser(unit, name);
      if (user.roles.get(project) === role) return;
      await putRole(unit, name, project, role);
      unit.afterCommit(authenticator.forget);
      await unit.emit({
        type: 'role.changed',
        project: project === allProjects ? 'default' : project,
        subject: `user:${name}`,
        data: { user: name, scope: project, ...(role !== undefined && { role }) },
      });
    },

    async disableUser(unit, name) {
      await getUser(unit, name);
      if (!(await markDisabled(unit, name))) return;
      unit.afterCommit(authenticator.forget);
      await unit.emit({ type: 'user.disabled', project: 'default', subject: `user:${name}`, data: {} });
    },
  };
}

function checkScope({ kind, user, project, role, scope }: NewToken): void {
  const invalid = identityErrors.TOKEN_SCOPE_INVALID;
  if (kind === 'step' && (project === undefined || scope?.attempt === undefined))
    throw invalid('the token of a step names its project and its attempt');
  if (kind === 'replica' && scope?.pool === undefined) throw invalid('the token of a replica names its pool');
  if (kind === 'user' && user === undefined && role === undefined) throw invalid('name a user or a role');
  if (kind !== 'user' && user !== undefined) throw invalid(`the token of a ${kind} belongs to no user`);
}

function toToken(unit: Unit, token: NewToken, id: string, digest: string): Token {
  return {
    id,
    digest,
    kind: token.kind,
    name: token.name,
    user: token.user,
    project: token.project,
    role: token.kind === 'step' ? (token.role ?? 'editor') : token.kind === 'replica' ? undefined : token.role,
    attempt: token.kind === 'step' ? token.scope?.attempt : undefined,
    pool: token.kind === 'replica' ? token.scope?.pool : undefined,
    issuedBy: unit.context.actor,
    createdMs: unit.nowMs,
    expiresMs: token.expiresAtMs,
    revokedMs: undefined,
  };
}

function mayRead(token: Token, users: ReadonlyMap<string, User>, project: string): boolean {
  if (token.user === undefined) return roleAllows(token.role, 'read');
  const user = users.get(token.user);
  return user !== undefined && user.disabledMs === undefined && roleAllows(roleIn(user.roles, project), 'read');
}
