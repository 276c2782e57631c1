import { type Json, list, text } from './json.ts';
import { mlflow3 } from './mlflow-rest.ts';
import type { LeftBehind } from './source.ts';

type Query = Readonly<Record<string, string | number>>;

/** Asks a server by GET; undefined where it does not know the call. */
export type AskServer = (path: string, query: Query) => Promise<Json | undefined>;

/** What MLflow's API lists and no transfer brings over. */
export const leftKinds = {
  datasets: { what: 'evaluation datasets', path: `${mlflow3}/datasets/search`, page: { max_results: 1000 } },
  scorers: { what: 'scorers', path: `${mlflow3}/scorers/list`, page: {} }, // of all experiments, in one answer
  webhooks: { what: 'webhooks', path: '/api/2.0/mlflow/webhooks', page: { max_results: 1000 } },
} as const;

/** How many a server has of each kind; none of one that it is too old to know. */
export async function countLeft(ask: AskServer, kinds: readonly (keyof typeof leftKinds)[]): Promise<LeftBehind[]> {
  const left: LeftBehind[] = [];
  for (const kind of kinds) {
    const { what, path, page } = leftKinds[kind];
    try {
      const count = await countAll(ask, path, kind, page);
      if (count > 0) left.push({ what, count });
    } catch (error) {
      if (!isAnswer(error)) throw error;
      left.push({ what: `${what}, which could not be counted: ${error.message}`, count: 0 });
    }
  }
  return left;
}

async function countAll(ask: AskServer, path: string, field: string, page: Query): Promise<number> {
  let count = 0;
  for (let token = ''; ; ) {
    const answer = await ask(path, { ...page, ...(token !== '' && { page_token: token }) });
    count += list(answer?.[field]).length;
    token = text(answer?.['next_page_token']);
    if (token === '') return count;
  }
}

/** A server that answers with a failure (not to this user, not by its store) has told that it does not tell. */
const isAnswer = (error: unknown): error is Error =>
  error instanceof Error && 'kind' in error && error.kind !== 'unavailable' && error.kind !== 'timeout';
