import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getProject, listProjects } from '#contracts/projects';
import { type Client, isTidemillError } from '../../sdk/index.ts';
import { type CliContext, CliError } from '../context.ts';
import { stopServer } from '../stop-server.ts';
import { startServer } from './demo-server.ts';
import { projectFolder } from './replay.ts';

export const demoProject = 'flights';

/** Says that the home folder was made by the demo, so that it may be emptied for another one. */
const markOf = (home: string): string => join(home, 'demo', 'made-this-home');
/** Python environments take minutes to build and depend on nothing that a demo leaves behind. */
const keptFolder = 'python';

/** Whether a Python environment is there that was made to its end. */
export async function hasPythonEnvironment(home: string): Promise<boolean> {
  const environments = join(home, keptFolder, 'environments');
  if (!existsSync(environments)) return false;
  return (await readdir(environments)).some((name) => existsSync(join(environments, name, '.ready')));
}

/** Whether Python, room, the home folder and the ports are there, before anything is begun. */
export async function checkMachine(
  context: CliContext,
  flags: { readonly port?: string; readonly servingPort?: string },
): Promise<void> {
  const { diagnose } = await import('../../app/doctor.ts');
  const running = await context.runningServer();
  const findings = await diagnose({
    flags: { home: context.home, ...flags },
    environment: context.environment,
    cwd: context.cwd,
    ...(running !== undefined && { running }),
  });
  const failed = findings.filter(({ state }) => state === 'failed');
  if (failed.length > 0)
    throw new CliError(
      'DEMO_CANNOT_START',
      1,
      failed.map(({ name, message }) => `${name}: ${message}`).join('\n      '),
    );
}

/** Refuses a home that holds a demo; with `fresh` empties it, when nothing else lies there. */
export async function prepareHome(context: CliContext, flags: readonly string[], fresh: boolean): Promise<void> {
  const { home } = context;
  if (existsSync(projectFolder(home))) {
    if (!fresh) throw alreadyThere(home);
    if (!existsSync(markOf(home))) throw notOurs(home, 'it was there before the demo');
    await refuseOtherProjects(context, flags);
    context.output.say(`taking the earlier demo in ${home} away`);
    await stopServer(context);
    for (const entry of await readdir(home))
      if (entry !== keptFolder) await rm(join(home, entry), { recursive: true, force: true });
  }
  if (existsSync(join(home, 'tidemill.db'))) return;
  await mkdir(join(home, 'demo'), { recursive: true });
  await writeFile(markOf(home), '');
}

/** A project of this name that no demo of this home has made belongs to somebody. */
export async function refuseProject(client: Client, home: string): Promise<void> {
  try {
    await client.inProject('default').call(getProject, { params: { name: demoProject } });
  } catch (error) {
    if (isTidemillError(error) && error.kind === 'not_found') return;
    throw error;
  }
  throw alreadyThere(home);
}

async function refuseOtherProjects(context: CliContext, flags: readonly string[]): Promise<void> {
  const { createClient } = await import('../../sdk/index.ts');
  const { server } = await startServer(context, flags);
  const token = await context.token();
  const client = createClient({ url: server.url, ...(token !== undefined && { token }) });
  const { items } = await client.call(listProjects, { query: {} });
  const others = items.map(({ name }) => name).filter((name) => name !== 'default' && name !== demoProject);
  if (others.length > 0) throw notOurs(context.home, `it holds other projects (${others.join(', ')})`);
}

const alreadyThere = (home: string): CliError =>
  new CliError(
    'DEMO_ALREADY_THERE',
    5,
    `${home} holds the demo's project already: look at it with "tidemill up" and "tidemill status", start over with "tidemill demo --fresh", or choose another --home`,
  );

const notOurs = (home: string, why: string): CliError =>
  new CliError('DEMO_HOME_IN_USE', 5, `${home} cannot be emptied, since ${why}: choose another --home`);
