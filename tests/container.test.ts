import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, chown, copyFile, mkdir, readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { builtModule } from '../src/platform/testing/built-program.ts';
import { createTestClient } from '../src/serving/grpc/testing/grpc-client.ts';
import { startFakeControlPlane } from '../src/serving/testing/fake-control-plane.ts';
import { anEndpoint, fixture, post } from '../src/serving/testing/test-plane.ts';
import { temporaryFolder } from './support/control-plane.ts';
import { readyToBeAsked, type Serving } from './support/serve-command.ts';

const root = resolve(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const dockerfile = read('deploy/container/Dockerfile').replaceAll('\\\n', ' ');
const instructions = (name: string) =>
  [...dockerfile.matchAll(new RegExp(`^${name} (.*)$`, 'gm'))].map(([, rest = '']) => rest.trim());

const nobody = 65_534;
const isRoot = process.getuid?.() === 0;
const readOnlyRoot = 'mount --bind "$0" "$0" && mount -o remount,bind,ro /';
const canMount = isRoot && spawnSync('unshare', ['--mount', 'sh', '-c', readOnlyRoot, '/tmp']).status === 0;

beforeAll(async () => void (await builtModule('serving/main.js')), 180_000);

/** What the image is made of, and a home that is its user's. */
async function aContainer(): Promise<{ readonly code: string; readonly home: string }> {
  const folder = await temporaryFolder();
  await chmod(folder, 0o755);
  const [code, home] = [join(folder, 'tidemill'), join(folder, 'home')];
  execFileSync(process.execPath, ['deploy/container/gather.mjs', code], { cwd: root });
  await mkdir(home);
  if (isRoot) await chown(home, nobody, nobody);
  return { code, home };
}

/** As the container runs it: another user, and nothing to write but the home. */
function confined(home: string, ...entry: readonly string[]): readonly [string, readonly string[]] {
  const asNobody = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--no-new-privs', ...entry];
  const command = canMount
    ? ['unshare', '--mount', 'sh', '-c', `${readOnlyRoot} && exec "$@"`, home, ...asNobody]
    : isRoot
      ? asNobody
      : entry;
  const [program = '', ...rest] = command;
  return [program, rest];
}

/** With no variables but those that are said. */
function run(
  { code, home }: Awaited<ReturnType<typeof aContainer>>,
  environment: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<Serving> {
  const [program, rest] = confined(home, join(code, 'deploy/container/entrypoint.sh'), ...args);
  const child = spawn(program, rest, {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'] ?? '',
      TIDEMILL_HOME: home,
      TIDEMILL_SERVING_PORT: '0',
      TIDEMILL_GRPC_PORT: '0',
      ...environment,
    },
  });
  return readyToBeAsked(child);
}

const here = (url: string): string => url.replace('0.0.0.0', '127.0.0.1');
const gather = { inputs: [{ name: 'index', datatype: 'INT64', shape: [1], data: [1] }] };

/** The model `gather` answers over REST and gRPC. */
async function answersOn({ url, grpcAddress = '' }: Serving, headers: Readonly<Record<string, string>>): Promise<void> {
  const answer = await post(`${here(url)}/v2/models/gather/infer`, gather, headers);
  expect([answer.status, answer.json.error]).toEqual([200, undefined]);
  const client = createTestClient(here(grpcAddress));
  const inputs = [{ name: 'index', datatype: 'INT64', shape: [1], contents: { int64_contents: [1] } }];
  const called = await client.call('ModelInfer', { model_name: 'gather', inputs }, { metadata: headers });
  client.close();
  expect([called.code, called.details]).toEqual([0, '']);
}

/** Of the process that was started, whatever was before it. */
const commandLineOf = ({ child }: Serving): readonly string[] =>
  process.platform === 'linux' ? readFileSync(`/proc/${child.pid}/cmdline`, 'latin1').split('\0') : flags;
const flags = read('bin/data-plane-flags').trim().split(/\s+/);

const healthOf = (code: string, url: string): number | null =>
  spawnSync(process.execPath, [join(code, 'deploy/container/healthcheck.mjs')], {
    env: { TIDEMILL_SERVING_PORT: new URL(url).port },
  }).status;

test('the container serves models by themselves as another user who may write the home alone, and drains', async () => {
  const container = await aContainer();
  const models = join(container.code, 'models'); // where that user may not write either
  await mkdir(models);
  await copyFile(fixture('gather.onnx'), join(models, 'gather.onnx'));
  await copyFile(fixture('slow.onnx'), join(models, 'slow.onnx'));
  const writes = (folder: string) => spawnSync(...confined(container.home, 'touch', join(folder, 'x'))).status === 0;
  expect([writes(container.code), writes(container.home), writes('/tmp')]).toEqual([!isRoot, true, !canMount]);
  const running = await run(container, {}, 'serve', models, '--json');
  await answersOn(running, {});
  expect(commandLineOf(running)).toEqual(expect.arrayContaining(flags)); // as `tidemill up` starts it
  expect(healthOf(container.code, running.url)).toBe(0);

  const { inputs } = (await (await fetch(`${here(running.url)}/v2/models/slow`)).json()) as {
    readonly inputs: readonly { readonly name: string; readonly datatype: string; readonly shape: readonly number[] }[];
  };
  const slow = inputs.map(({ name, datatype, shape }) => {
    const own = shape.map((size) => Math.max(1, size));
    return { name, datatype, shape: own, data: Array.from({ length: own.reduce((a, b) => a * b, 1) }, () => 2_000) };
  });
  const underWay = post(`${here(running.url)}/v2/models/slow/infer`, { inputs: slow });
  const pending = async () => (await fetch(`${here(running.url)}/metrics`)).text();
  await expect.poll(pending, { interval: 1 }).toMatch(/tidemill_serving_pending\{[^}]*endpoint="slow"[^}]*\} 1/);
  const ended = running.stop();
  expect((await underWay).status).toBe(200);
  expect(await ended).toBe(0);
  expect(healthOf(container.code, running.url)).toBe(1);
  expect(await readdir(container.home)).toEqual(['serve', 'x']);
});

test('the container is a replica of a pool: it serves what the control plane deploys, and delivers before it ends', async () => {
  const container = await aContainer();
  const control = await startFakeControlPlane();
  const tokens = [{ digest: createHash('sha256').update('right').digest('hex'), principal: 'token:t1' }];
  const revision = control.revision('r1', fixture('gather.onnx'));
  control.publish({ endpoints: [anEndpoint([revision], { name: 'gather', access: { tokens } })] });
  const running = await run(
    container,
    { TIDEMILL_CONTROL_URL: control.url, TIDEMILL_POOL_TOKEN: control.token, TIDEMILL_REPLICA: 'pod-1' },
    'pool',
  );
  const report = await control.reported(({ state }) => state === 'ready');
  expect(report.replica).toBe('pod-1');
  await answersOn(running, { authorization: 'Bearer right' });
  expect(commandLineOf(running)).toEqual(expect.arrayContaining(flags));
  expect(await running.stop()).toBe(0);
  expect(control.records.map(({ endpoint }) => endpoint)).toEqual(['gather', 'gather']);
  await control.goAway();
});

test('the Dockerfile names what is there: its files, the version of Node.js, the user', async () => {
  const engines = (JSON.parse(read('package.json')) as { readonly engines: { readonly node: string } }).engines.node;
  const bases = instructions('FROM').filter((from) => from.startsWith('node:'));
  expect(new Set(bases.map((from) => `>=${/^node:([\d.]+)-/.exec(from)?.[1]}`))).toEqual(new Set([engines]));
  expect(new Set(instructions('USER'))).toEqual(new Set([`${nobody}:${nobody}`, 'root']));
  expect(instructions('USER').at(-1)).toBe(`${nobody}:${nobody}`);

  const copied = instructions('COPY')
    .filter((rest) => !rest.startsWith('--from'))
    .flatMap((rest) => rest.split(/\s+/).slice(0, -1));
  expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  const kept = read('deploy/container/Dockerfile.dockerignore').split('\n');
  expect(copied.filter((path) => !kept.includes(`!${path}`))).toEqual([]);

  const { code } = await aContainer();
  const paths = [...instructions('ENTRYPOINT'), ...instructions('CMD'), dockerfile]
    .flatMap((text) => [...text.matchAll(/"(\/tidemill\/[^"]+)"/g)])
    .map(([, path = '']) => path.replace('/tidemill', code));
  expect(paths.length).toBeGreaterThan(1);
  expect(paths.filter((path) => !existsSync(path))).toEqual([]);
});

interface Document {
  readonly kind: string;
  readonly spec: {
    readonly template?: {
      readonly spec: { readonly securityContext: object; readonly containers: readonly Container[] };
    };
  };
}
interface Container {
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext: object;
  readonly volumeMounts: readonly { readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly [probe: string]: unknown;
}

test.each(['serve.yaml', 'pool.yaml'])(
  'kubernetes/%s is bound as the container is, and asks what is answered',
  (file) => {
    const documents = parseAllDocuments(read(`deploy/kubernetes/${file}`)).map((one) => one.toJS() as Document);
    expect(documents.map(({ kind }) => kind)).toEqual(['Deployment', 'Service']);
    const pod = documents[0]?.spec.template?.spec ?? { securityContext: {}, containers: [] };
    const [container] = pod.containers;
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: nobody, fsGroup: nobody });
    expect(container?.securityContext).toMatchObject({ readOnlyRootFilesystem: true, allowPrivilegeEscalation: false });
    expect(container?.args[0]).toBe(basename(file, '.yaml'));
    const writable = container?.volumeMounts.filter(({ readOnly }) => readOnly !== true);
    expect(writable?.map(({ mountPath }) => mountPath)).toEqual(['/var/lib/tidemill']);
    const probes = ['startupProbe', 'livenessProbe', 'readinessProbe'].map((name) => container?.[name]);
    expect(probes).toEqual([
      expect.objectContaining({ httpGet: { path: '/v2/health/live', port: 'rest' } }),
      expect.objectContaining({ httpGet: { path: '/v2/health/live', port: 'rest' } }),
      expect.objectContaining({ httpGet: { path: '/v2/health/ready', port: 'rest' } }),
    ]);
    expect(container?.ports).toEqual([
      { name: 'rest', containerPort: 7879 },
      { name: 'grpc', containerPort: 7880 },
    ]);
    const known = `${read('deploy/container/entrypoint.sh')}${read('src/serving/serving-options.ts')}${read('src/cli/context.ts')}`;
    expect(container?.env.filter(({ name }) => !known.includes(name))).toEqual([]);
  },
);
