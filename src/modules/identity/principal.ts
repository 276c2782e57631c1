import type { Permission } from '#contracts/operation';
import type { Principal } from '#platform/http';
import { allProjects, type RoleMap, roleAllows, roleIn } from './permission-rules.ts';
import type { Token } from './token-store.ts';
import type { User } from './user-store.ts';

/** The only principal of a server without authentication: whoever sits at this machine. */
export const localPrincipal: Principal = { id: 'user:local', can: () => true };

/**
 * Whom a token stands for. A person's token is that person (two tokens of one person are one pair of eyes), with the
 * person's roles, narrowed by the token's own project and role.
 */
export function toPrincipal(token: Token, user: User | undefined): Principal {
  const { project } = token;
  const inScope = (asked: string) => project === undefined || project === asked;
  const scope = project === undefined ? {} : { project };
  if (token.kind === 'step')
    return {
      id: `step:${token.attempt}`,
      scope: { ...scope, ...(token.attempt !== undefined && { attempt: token.attempt }) },
      can: (permission, asked) => inScope(asked) && (permission === 'step' || roleAllows(token.role, permission)),
    };
  if (token.kind === 'replica')
    return {
      id: `replica:${token.pool}/${token.name}`,
      scope: { ...scope, ...(token.pool !== undefined && { pool: token.pool }) },
      // a pool serves every project, so a token that is limited to one opens no pool
      can: (permission) => permission === 'public' || (permission === 'replica' && project === undefined),
    };
  return { id: idOf(token, user), scope, can: userCan(token, user) };
}

const idOf = (token: Token, user: User | undefined): string =>
  user === undefined ? `token:${token.id}` : `user:${user.name}`;

function userCan(token: Token, user: User | undefined): Principal['can'] {
  const own: RoleMap =
    user?.roles ?? new Map(token.role === undefined ? [] : [[token.project ?? allProjects, token.role]]);
  const mayIn = (project: string, permission: Permission): boolean =>
    (user === undefined || token.role === undefined || roleAllows(token.role, permission)) &&
    roleAllows(roleIn(own, project), permission);
  return (permission: Permission, asked: string) => {
    // a pool's spec and files are those of every project: who would see them is an admin of all, whatever the URL says
    if (permission === 'replica') return token.project === undefined && mayIn(allProjects, permission);
    if (token.project !== undefined && token.project !== asked) return permission === 'public';
    return mayIn(asked, permission);
  };
}
