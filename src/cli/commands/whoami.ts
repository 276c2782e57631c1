import { Command } from 'commander';
import { getToken, type Role, whoAmI } from '#contracts/identity';
import type { OperationResult } from '#contracts/operation';
import { defaultProject } from '#contracts/references';
import { type Client, isTidemillError } from '../../sdk/index.ts';
import { type CliEnvironment, createContext } from '../context.ts';

export function createWhoAmICommand(world: CliEnvironment): Command {
  return new Command('whoami').description(whoAmI.summary).action(async (_options: unknown, command: Command) => {
    const { output, connect } = createContext(command, world);
    let client = await connect();
    const found = await client.call(whoAmI, {}).catch((error: unknown) => {
      if (!isTidemillError(error) || error.kind !== 'not_found') throw error;
      client = client.inProject(defaultProject); // the project of this folder has not been applied yet
      return client.call(whoAmI, {});
    });
    const name = output.json ? undefined : await nameOf(client, found.id);
    output.result(found, () => inWords(found, name));
  });
}

/** What a token was issued for; only admins may look it up. */
async function nameOf(client: Client, id: string): Promise<string | undefined> {
  if (!id.startsWith('token:')) return undefined;
  const params = { tokenId: id.slice('token:'.length) };
  return (await client.call(getToken, { params }).catch(() => undefined))?.name;
}

/** The roles, greatest first, each by the permission that those below it lack. */
const roles: readonly (readonly [permission: string, role: Role])[] = [
  ['admin', 'admin'],
  ['approve', 'approver'],
  ['write', 'editor'],
  ['read', 'viewer'],
];

function inWords({ id, project, permissions }: OperationResult<typeof whoAmI>, name: string | undefined): string {
  const who = name === undefined ? id : `the token "${name}" (${id})`;
  const role = roles.find(([permission]) => permissions.includes(permission))?.[1];
  if (role === undefined) return `You are ${who}; you have no role in project ${project}.`;
  const may = roles.flatMap(([permission]) => (permissions.includes(permission) ? permission : [])).toReversed();
  return `You are ${who}; in project ${project} your role is ${role}: you may ${may.join(', ')}.`;
}
