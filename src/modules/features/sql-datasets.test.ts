import { describe, expect, test } from 'vitest';
import { datasetsInSql } from './sql-datasets.ts';

describe('the datasets that a query reads', () => {
  test.each([
    ['select * from departures', ['departures']],
    ['SELECT a FROM "my-data" d JOIN weather AS w ON d.x = w.x', ['my-data', 'weather']],
    ['select 1 from a, b as bb, c where x = 1', ['a', 'b', 'c']],
    ["select 'from x' from a -- join y\n/* from z */ where t > 1", ['a']],
    ['with recent as (select * from raw), b(x) as (select 1) select * from recent join b using (x)', ['raw']],
    [
      'select * from (select origin from departures group by origin) asof join weather w on true',
      ['departures', 'weather'],
    ],
    ['select * from range(3), flights', ['flights']],
    ['select extract(hour from departed_at), trim(both from x) from departures', ['departures']],
  ])('are found in %s', (sql, expected) => {
    expect(datasetsInSql(sql)).toEqual(expected.toSorted());
  });
});
