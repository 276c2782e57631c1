import type { Role } from '#contracts/identity';
import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import type { IdentityTables } from './identity-tables.ts';
import type { RoleMap } from './permission-rules.ts';

export interface User {
  readonly name: string;
  readonly roles: RoleMap;
  readonly createdMs: number;
  readonly disabledMs: number | undefined;
}

/** False when there is already one of this name. */
export async function insertUser(unit: Unit, name: string): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await unit
    .query<IdentityTables>()
    .insertInto('users')
    .values({ name, created_ms: unit.nowMs, disabled_ms: null })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

export async function findUser(reader: Reader, name: string): Promise<User | undefined> {
  return (await complete(reader, await selectUsers(reader).where('users.name', '=', name).execute()))[0];
}

export async function findUsers(reader: Reader, names: readonly string[]): Promise<readonly User[]> {
  return await complete(
    reader,
    await selectUsers(reader)
      .where(inList(reader, 'users.name', names))
      .execute(),
  );
}

export async function listUsersAfter(
  reader: Reader,
  after: string | undefined,
  limit: number,
): Promise<readonly User[]> {
  let query = selectUsers(reader).orderBy('users.name').limit(limit);
  if (after !== undefined) query = query.where('users.name', '>', after);
  return await complete(reader, await query.execute());
}

/** False when nothing changed. */
export async function putRole(unit: Unit, name: string, project: string, role: Role | undefined): Promise<void> {
  if (role === undefined) {
    await unit
      .query<IdentityTables>()
      .deleteFrom('user_roles')
      .where('user_roles.user_name', '=', name)
      .where('user_roles.project', '=', project)
      .execute();
    return;
  }
  await unit
    .query<IdentityTables>()
    .insertInto('user_roles')
    .values({ user_name: name, project, role })
    .onConflict((conflict) => conflict.columns(['user_name', 'project']).doUpdateSet({ role }))
    .execute();
}

export async function markDisabled(unit: Unit, name: string): Promise<boolean> {
  const { numUpdatedRows } = await unit
    .query<IdentityTables>()
    .updateTable('users')
    .set({ disabled_ms: unit.nowMs })
    .where('users.name', '=', name)
    .where('users.disabled_ms', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

const selectUsers = (reader: Reader) =>
  reader.query<IdentityTables>().selectFrom('users').select(['users.name', 'users.created_ms', 'users.disabled_ms']);

async function complete(reader: Reader, rows: readonly IdentityTables['users'][]): Promise<readonly User[]> {
  if (rows.length === 0) return [];
  const names = rows.map(({ name }) => name);
  const roles = await reader
    .query<IdentityTables>()
    .selectFrom('user_roles')
    .select(['user_roles.user_name', 'user_roles.project', 'user_roles.role'])
    .where(inList(reader, 'user_roles.user_name', names))
    .orderBy('user_roles.user_name')
    .orderBy('user_roles.project')
    .execute();
  return rows.map((row) => ({
    name: row.name,
    roles: new Map(roles.filter((role) => role.user_name === row.name).map((role) => [role.project, role.role])),
    createdMs: row.created_ms,
    disabledMs: row.disabled_ms ?? undefined,
  }));
}
