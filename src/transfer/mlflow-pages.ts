import { type Json, list, text } from './json.ts';
import type { MlflowRest } from './mlflow-rest.ts';

/** All pages of a search by POST; nothing where the server does not know it. */
export async function* pagesOf(
  rest: MlflowRest,
  path: string,
  field: string,
  body: Json,
): AsyncGenerator<readonly Json[]> {
  for (let token = ''; ; ) {
    const answer = await rest.tryPost(path, { ...body, ...(token !== '' && { page_token: token }) });
    if (answer === undefined) return;
    const found = list(answer[field]);
    if (found.length > 0) yield found;
    token = text(answer['next_page_token']);
    if (token === '') return;
  }
}

/** All items of what is asked by GET. */
export async function* itemsOf(
  rest: MlflowRest,
  path: string,
  field: string,
  query: Readonly<Record<string, string | number>>,
): AsyncGenerator<Json> {
  for (let token = ''; ; ) {
    const answer = await rest.get(path, { ...query, ...(token !== '' && { page_token: token }) });
    yield* list(answer[field]);
    token = text(answer['next_page_token']);
    if (token === '') return;
  }
}
