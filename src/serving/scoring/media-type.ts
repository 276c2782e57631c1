/** A content type, taken apart. */
export interface MediaType {
  readonly name: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const taken = ['application/json', 'text/csv'];

/** Of a header; a body without one is JSON. */
export function mediaTypeOf(header: string | undefined): MediaType {
  const [name = '', ...pairs] = (header ?? 'application/json').split(';').map((part) => part.trim());
  const parameters = new Map<string, string>();
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const key = at < 0 ? pair : pair.slice(0, at);
    if (key !== '')
      parameters.set(
        key.trim().toLowerCase(),
        at < 0
          ? ''
          : pair
              .slice(at + 1)
              .replaceAll('"', '')
              .trim(),
      );
  }
  return { name: name.toLowerCase(), parameters };
}

/** Why a body of this type is not read by MLflow's scoring protocol; undefined when it is. */
export function findMediaProblem({ name, parameters }: MediaType): string | undefined {
  if (!taken.includes(name))
    return name === 'application/vnd.apache.parquet'
      ? `Parquet is not read yet; send one of ${taken.join(', ')}`
      : `the body must be one of ${taken.join(', ')}; say which by Content-Type (with curl --header 'content-type: application/json')`;
  if ((parameters.get('charset') ?? 'utf-8').toLowerCase() !== 'utf-8') return 'the body must be UTF-8';
  if ([...parameters.keys()].some((key) => key !== 'charset'))
    return 'the content type takes no parameter but charset=utf-8';
  return undefined;
}
