import { listProjects } from '#contracts/projects';
import type { Client } from '../sdk/index.ts';

const mostNames = 5;

/**
 * Said where nothing is found in a project that nobody named: what is looked for may lie in another. Empty when a project
 * was named, when there is no other, and when the server does not say.
 */
export async function projectNote(client: Client): Promise<string> {
  if (client.project !== undefined) return '';
  const page = await client.call(listProjects, { query: {} }).catch(() => undefined); // a hint only
  const others = (page?.items ?? []).map(({ name }) => name).filter((name) => name !== 'default');
  if (others.length === 0) return '';
  const more = others.length > mostNames || typeof page?.next === 'string' ? ', …' : '';
  return ` (in project default; this server also has: ${others.slice(0, mostNames).join(', ')}${more})`;
}
