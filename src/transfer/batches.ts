/** JSON of one request: a quarter of what a server takes by default. */
const bytesAtOnce = 4 * 1024 * 1024;

/**
 * Records in groups that one request bears. A NUL in a text, which no database of ours can keep, becomes U+FFFD; `onNul`
 * hears of each record that had one.
 */
export function* batchesOf<Item>(items: readonly Item[], most: number, onNul: (item: Item) => void): Generator<Item[]> {
  let batch: Item[] = [];
  let bytes = 0;
  for (const item of items) {
    const json = JSON.stringify(item);
    const clean = json.includes('\\u0000') ? cleaned(item, json, onNul) : item;
    if (batch.length > 0 && (batch.length >= most || bytes + json.length > bytesAtOnce)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(clean);
    bytes += json.length;
  }
  if (batch.length > 0) yield batch;
}

function cleaned<Item>(item: Item, json: string, onNul: (item: Item) => void): Item {
  onNul(item);
  return JSON.parse(json, (_key, value: unknown) =>
    typeof value === 'string' ? value.replaceAll('\0', '\uFFFD') : value,
  ) as Item;
}
