import { afterEach, expect, test } from 'vitest';
import { createDatabases } from './databases.ts';

const databases = createDatabases({ threads: 1 });
afterEach(() => databases.close());

test('a database that was opened ahead goes to one task, the next gets another', async () => {
  databases.prepare();
  databases.prepare();
  const [first, second] = [await databases.take(), await databases.take()];
  const [writer, reader] = [await first.connect(), await second.connect()];
  await writer.run('create table mine as select 1 as x');
  await expect(reader.run('from mine')).rejects.toThrow('does not exist');
  writer.closeSync();
  reader.closeSync();
  first.closeSync();
  second.closeSync();
});
