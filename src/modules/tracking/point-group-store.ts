import { type RawBuilder, sql } from 'kysely';
import type { Reader } from '#platform/database';
import type { PointGroup } from './metric-groups.ts';

type Dialect = Pick<Reader, 'dialect'>;

/** Groups as one parameter, whatever their number: rows of [timestamp, step, special, values]. */
export function toGroupsJson(groups: readonly PointGroup[]): string {
  return `[${groups.map((group) => `[${group.timestampMs},${group.step},${group.special},${group.valuesJson}]`).join(',')}]`;
}

/**
 * The points of such a parameter, for `insert … select`: `groups` goes in front of the statement; the columns are key,
 * timestamp, step, value and special. Materialized, so that what a group has in common is read once a group, not once a
 * point.
 */
export function pointsOf(
  reader: Dialect,
  groupsJson: string,
): { readonly groups: RawBuilder<unknown>; readonly columns: RawBuilder<unknown>; readonly from: RawBuilder<unknown> } {
  const values = unpackValues(reader, sql.ref('point_groups.numbers'));
  return {
    groups:
      reader.dialect === 'sqlite'
        ? sql`with point_groups as materialized (
            select list.value ->> 0 as timestamp_ms, list.value ->> 1 as step, list.value ->> 2 as special,
              list.value -> 3 as numbers
            from json_each(${groupsJson}) as list)`
        : sql`with point_groups as materialized (
            select (list.value ->> 0)::bigint as timestamp_ms, (list.value ->> 1)::bigint as step,
              (list.value ->> 2)::smallint as special, list.value -> 3 as numbers
            from jsonb_array_elements(${groupsJson}::jsonb) as list(value))`,
    columns: sql`point.key, point_groups.timestamp_ms, point_groups.step, ${values.value}, point_groups.special`,
    from: sql`point_groups cross join ${values.from}`,
  };
}

/** The members of a JSON object of numbers as rows of `point`: `point.key`, and `value`. */
export function unpackValues(
  { dialect }: Dialect,
  object: RawBuilder<unknown>,
): { readonly value: RawBuilder<unknown>; readonly from: RawBuilder<unknown> } {
  return dialect === 'sqlite'
    ? { value: sql`point.value`, from: sql`json_each(${object}) as point` }
    : { value: sql`point.value::double precision`, from: sql`jsonb_each_text(${object}::jsonb) as point(key, value)` };
}

/** The number under `key` in a JSON object; null when it has no such key. */
export function valueUnder({ dialect }: Dialect, object: RawBuilder<unknown>, key: string): RawBuilder<unknown> {
  // In SQLite a whole number is an integer in JSON, and one beyond 2^53 would be refused as unsafe.
  return dialect === 'sqlite'
    ? sql`cast(${object} ->> ${key} as real)`
    : sql`(${object}::jsonb ->> ${key})::double precision`;
}

/**
 * Rows of (run, key, timestamp, step, value, special) from a JSON list of [run, key, [[timestamp, step, value, special]]];
 * `histories` goes in front of the statement. Materialized, or run and key would be read out of all points for each one.
 */
export function pointsOfHistories(
  { dialect }: Dialect,
  text: string,
): {
  readonly histories: RawBuilder<unknown>;
  readonly columns: RawBuilder<unknown>;
  readonly from: RawBuilder<unknown>;
} {
  return dialect === 'sqlite'
    ? {
        histories: sql`with histories as materialized (
          select list.value ->> 0 as run_id, list.value ->> 1 as metric_key, list.value -> 2 as points
          from json_each(${text}) as list)`,
        columns: sql`histories.run_id, histories.metric_key, point.value ->> 0, point.value ->> 1,
          cast(point.value ->> 2 as real), point.value ->> 3`,
        from: sql`histories cross join json_each(histories.points) as point`,
      }
    : {
        histories: sql`with histories as materialized (
          select list.value ->> 0 as run_id, list.value ->> 1 as metric_key, list.value -> 2 as points
          from jsonb_array_elements(${text}::jsonb) as list(value))`,
        columns: sql`histories.run_id, histories.metric_key, (point.value ->> 0)::bigint, (point.value ->> 1)::bigint,
          (point.value ->> 2)::double precision, (point.value ->> 3)::smallint`,
        from: sql`histories cross join jsonb_array_elements(histories.points) as point(value)`,
      };
}
