import type { Role } from '#contracts/identity';
import type { Permission } from '#contracts/operation';

/** What each role may do: its own and what those before it may. */
const granted: Readonly<Record<Role, readonly Permission[]>> = {
  viewer: ['public', 'read'],
  editor: ['public', 'read', 'write'],
  approver: ['public', 'read', 'write', 'approve'],
  admin: ['public', 'read', 'write', 'approve', 'admin', 'step', 'replica'],
};

export const permissions: readonly Permission[] = granted.admin;

export const allProjects = '*';

/** Roles by project; `*` counts everywhere. */
export type RoleMap = ReadonlyMap<string, Role>;

const rank: readonly Role[] = ['viewer', 'editor', 'approver', 'admin'];

/** The greater of the roles that hold in a project. */
export function roleIn(roles: RoleMap, project: string): Role | undefined {
  const here = roles.get(project);
  const everywhere = roles.get(allProjects);
  if (here === undefined || everywhere === undefined) return here ?? everywhere;
  return rank.indexOf(here) > rank.indexOf(everywhere) ? here : everywhere;
}

export function roleAllows(role: Role | undefined, permission: Permission): boolean {
  return permission === 'public' || (role !== undefined && granted[role].includes(permission));
}
