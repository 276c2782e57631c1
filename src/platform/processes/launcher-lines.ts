/** One line to the launcher program: what to start. Secrets go this way and never by a command line. */
export interface LauncherRequest {
  readonly id: number;
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
}

/** One line from it: `ready` once, then `started` and `gone`, or `failed`, of each. */
export type LauncherAnswer =
  | { readonly event: 'ready' }
  | { readonly event: 'started'; readonly id: number }
  | { readonly event: 'gone'; readonly id: number }
  | { readonly event: 'failed'; readonly id: number; readonly reason: string };
