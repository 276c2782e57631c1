import { availableParallelism, totalmem } from 'node:os';
import { isAbsolute, resolve } from 'node:path';
import type { MachineFacts, Setting } from './config/setting.ts';
import { type RawConfig, settings } from './config/settings.ts';
import { defineErrors, nearestName } from './errors.ts';
import { isLoopback } from './loopback.ts';

export type { Setting } from './config/setting.ts';
export { settings };

/** Everything that can be set, parsed once; paths are absolute. */
export interface Config extends RawConfig {
  readonly grpcPort: number | 'off';
  /** A file path or a postgres:// address. */
  readonly databaseUrl: string;
  /** A folder or s3://<bucket>[/<prefix>]. */
  readonly blobs: string;
  /** What looks like a mistake but stops nothing. */
  readonly warnings: readonly string[];
}

export interface ConfigProblem {
  readonly source: string;
  readonly message: string;
}

export const configErrors = defineErrors({
  CONFIG_INVALID: {
    kind: 'invalid',
    message: (problems: readonly ConfigProblem[]) =>
      `the configuration is not valid:\n${problems.map(({ source, message }) => `  ${source}: ${message}`).join('\n')}`,
    details: (problems: readonly ConfigProblem[]) => problems,
    help: 'Every problem is listed at once, with what was expected: correct the flag or the environment variable.',
  },
});

export interface ConfigSources {
  /** Command-line options by their own name, with dashes (`serving-port`) or without (`servingPort`). */
  readonly flags?: Readonly<Record<string, string | undefined>>;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Relative paths start here; default the working folder. */
  readonly cwd?: string;
  readonly facts?: MachineFacts;
}

/** Beside the serving port's default: who chooses one of their own has likely more than one server on the machine. */
const defaultGrpcPort = 7880;

type Key = keyof typeof settings;
const keys = Object.keys(settings) as Key[];

/** Flags, then TIDEMILL_* of the environment, then defaults. All problems are thrown together as CONFIG_INVALID. */
export function loadConfig(sources: ConfigSources = {}): Config {
  const { flags = {}, environment = {}, cwd = process.cwd() } = sources;
  const facts = sources.facts ?? { cpus: availableParallelism(), memoryMb: Math.floor(totalmem() / 1e6) };
  const problems: ConfigProblem[] = [];
  const values = Object.fromEntries(keys.map((key) => [key, read(key, flags, environment, facts, problems)]));
  const raw = values as unknown as RawConfig; // each value came out of its setting's own parser or default
  if (raw.auth === 'off' && raw.host !== undefined && !isLoopback(raw.host))
    problems.push({
      source: '--host',
      message: `${raw.host} can be reached from other machines, so authentication is needed: add --auth on`,
    });
  if (problems.length > 0) throw configErrors.CONFIG_INVALID(problems);
  const home = resolve(cwd, raw.home);
  return {
    ...raw,
    home,
    grpcPort: raw.grpcPort ?? (raw.servingPort === settings.servingPort.default ? defaultGrpcPort : 0),
    databaseUrl: toDatabaseUrl(raw.databaseUrl, home, cwd),
    blobs: toBlobsPlace(raw.blobs, home, cwd),
    warnings: unknownVariables(environment),
  };
}

/** `purge-after` as a command line hands it over: `purgeAfter`, whatever the setting's own name is. */
const optionName = (flag: string): string => flag.replaceAll(/-(\w)/g, (_dash, letter: string) => letter.toUpperCase());

function read(
  key: Key,
  flags: Readonly<Record<string, string | undefined>>,
  environment: Readonly<Record<string, string | undefined>>,
  facts: MachineFacts,
  problems: ConfigProblem[],
): unknown {
  const setting: Setting<unknown> = settings[key];
  const flag = flags[optionName(setting.flag)] ?? flags[setting.flag];
  const text = flag ?? environment[setting.environment];
  if (text === undefined) return typeof setting.default === 'function' ? setting.default(facts) : setting.default;
  const source = flag === undefined ? setting.environment : `--${setting.flag}`;
  try {
    return setting.parse(text);
  } catch (error) {
    problems.push({ source, message: `"${text}" is not valid: ${error instanceof Error ? error.message : 'unknown'}` });
    return undefined;
  }
}

function toDatabaseUrl(given: string | undefined, home: string, cwd: string): string {
  if (given === undefined) return resolve(home, 'tidemill.db');
  return given.includes('://') || isAbsolute(given) ? given : resolve(cwd, given);
}

function toBlobsPlace(given: string | undefined, home: string, cwd: string): string {
  if (given === undefined) return resolve(home, 'blobs');
  return given.startsWith('s3://') ? given : resolve(cwd, given);
}

/** Variables that clients and steps use; they may stand in the server's environment too. */
const foreign =
  /^TIDEMILL_(URL|TOKEN|TOKEN_FILE|PROJECT|PARAMS|INPUT_.*|OUTPUT_.*|RUN_.*|STEP_.*|TEST_.*|ATTEMPT.*|SECRET_.*)$/;

function unknownVariables(environment: Readonly<Record<string, string | undefined>>): readonly string[] {
  const known = keys.map((key) => settings[key].environment as string);
  return Object.keys(environment)
    .filter((name) => name.startsWith('TIDEMILL_') && !known.includes(name) && !foreign.test(name))
    .map((name) => {
      const near = nearestName(name, known);
      return `the environment variable ${name} is not known${near === undefined ? '' : `; did you mean ${near}?`}`;
    });
}

/** The configuration as it may be shown: without the password of the database. */
export function redactConfig(config: Config): Config {
  return { ...config, databaseUrl: config.databaseUrl.replace(/^(\w+:\/\/[^:/@]*):[^@]*@/, '$1:***@') };
}
