import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Option } from 'commander';
import { describe, expect, test } from 'vitest';
import { loadConfig, redactConfig, settings } from './config.ts';

const facts = { cpus: 2, memoryMb: 8_000 };
/** The name under which a command line hands over an option. */
const optionName = (flag: string) => new Option(`--${flag} <value>`).attributeName();

const load = (flags: Record<string, string> = {}, environment: Record<string, string> = {}) =>
  loadConfig({ flags, environment, cwd: '/srv', facts });

describe('configuration', () => {
  test('has defaults that fit the machine, with absolute paths', () => {
    expect(load()).toMatchObject({
      home: '/srv/.tidemill',
      databaseUrl: '/srv/.tidemill/tidemill.db',
      host: '127.0.0.1',
      port: 7878,
      auth: 'off',
      jobCpus: 2,
      jobMemoryMb: 6_000,
      workerMemoryMb: 2_000,
      warnings: [],
    });
  });

  test('takes a flag before the environment and the environment before a default', () => {
    const config = load({ port: '1', 'serving-port': '2' }, { TIDEMILL_PORT: '3', TIDEMILL_GRPC_PORT: '4' });
    expect(config).toMatchObject({ port: 1, servingPort: 2, grpcPort: 4 });
    expect(['off', '0'].map((text) => load({ 'grpc-port': text }).grpcPort)).toEqual(['off', 0]);
    expect([load({}), load({ 'serving-port': '0' })].map(({ grpcPort }) => grpcPort)).toEqual([7880, 0]);
    expect(load({}, { TIDEMILL_ALLOWED_HOSTS: 'a.example, b.example' }).allowedHosts).toEqual([
      'a.example',
      'b.example',
    ]);
    expect(load({ databaseUrl: 'postgres://u:secret@db/x' }).databaseUrl).toBe('postgres://u:secret@db/x');
    expect(load({ databaseUrl: 'other.db' }).databaseUrl).toBe('/srv/other.db');
  });

  test('hears each flag under the name that a command line gives it', () => {
    const isHeard = (flag: string): boolean => {
      try {
        const given = load({ [optionName(flag)]: 'x' });
        return JSON.stringify(given) !== JSON.stringify(load());
      } catch (error) {
        return String(error).includes(`--${flag}:`);
      }
    };
    expect(
      Object.values(settings)
        .map(({ flag }) => flag)
        .filter((flag) => !isHeard(flag)),
    ).toEqual([]);
    expect(load({ [optionName('purge-after')]: '30d' })).toMatchObject({ purgeAfterMs: 30 * 86_400_000 });
  });

  test('has no setting that nothing reads', () => {
    const root = fileURLToPath(new URL('..', import.meta.url));
    const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !/\.test\.ts$|^platform\/config/.test(file))
      .map((file) => readFileSync(join(root, file), 'utf8'))
      .join('\n');
    const isRead = (key: string) =>
      new RegExp(`\\bconfig\\.${key}\\b|\\{[^{}]*\\b${key}\\b[^{}]*\\} = (?:\\w+\\.)?config\\b`).test(sources);
    const unread = Object.keys(settings).filter((key) => !isRead(key));
    expect(unread).toEqual([]);
  });

  test('tells all problems together, each with its source', () => {
    const environment = { TIDEMILL_LOG_LEVEL: 'loud', TIDEMILL_DATABASE_URL: 'mysql://x' };
    expect(() => load({ port: 'x', auth: 'maybe' }, environment)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        details: [
          { source: '--port', message: '"x" is not valid: a whole number from 0 to 65535 is expected' },
          { source: '--auth', message: '"maybe" is not valid: one of on, off is expected' },
          { source: 'TIDEMILL_DATABASE_URL', message: expect.stringContaining('postgres://') },
          { source: 'TIDEMILL_LOG_LEVEL', message: expect.stringContaining('one of trace') },
        ],
      }),
    );
  });

  test('refuses an address that others can reach without authentication', () => {
    expect(() => load({ host: '0.0.0.0' })).toThrow('add --auth on');
    expect(load({ host: '0.0.0.0', auth: 'on' }).host).toBe('0.0.0.0');
    expect(load({ host: '::1' }).auth).toBe('off');
  });

  test('warns of a variable that nothing reads and names the nearest', () => {
    const { warnings } = load({}, { TIDEMILL_PROT: '1', TIDEMILL_TOKEN: 't', TIDEMILL_INPUT_X: 'y' });
    expect(warnings).toEqual(['the environment variable TIDEMILL_PROT is not known; did you mean TIDEMILL_PORT?']);
  });

  test('can be shown without the password of the database', () => {
    const config = load({ databaseUrl: 'postgres://tidemill:secret@db:5432/x' });
    expect(redactConfig(config).databaseUrl).toBe('postgres://tidemill:***@db:5432/x');
  });

  test('has a reason for every key, and no two keys share a name', () => {
    const all = Object.values(settings);
    expect(new Set(all.map((setting) => setting.environment)).size).toBe(all.length);
    expect(new Set(all.map((setting) => setting.flag)).size).toBe(all.length);
    for (const setting of all) expect(setting.reason).toMatch(/\.$/);
  });
});
