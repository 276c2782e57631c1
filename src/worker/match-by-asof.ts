import { instantOf, type MatchedView, type MatchPlan, outputOf } from './match-plan.ts';
import type { Session } from './session.ts';
import { quoteName, quoteNames } from './sql-quote.ts';

/**
 * The database alone, which spills what does not fit into memory, in three passes:
 *
 *  1. an ASOF join over keys and times alone finds the greatest time that may be used; the ttl is tested afterwards, which
 *     is exact, since the latest row is the first to be young enough;
 *  2. a hash join on keys and that time fetches the candidates, with their columns. There are several only where the
 *     source has several rows of one key and time;
 *  3. those few are ordered by created, then by their values.
 *
 * One ASOF join over whole rows would sort all columns of the view, and where times are equal it takes any row.
 */
export async function matchByAsof(session: Session, plan: MatchPlan): Promise<MatchedView> {
  const { view, index, relation, keys, asked, maxAge, created } = plan;
  const [latest, found, tied] = ['latest', 'found', 'tied'].map((name) => `_tidemill_${name}_${index}`) as [
    string,
    string,
    string,
  ];
  const offered = `(select ${keys.map(({ theirs, alias }) => `${theirs} as ${alias}`).join(', ')}, ${instantOf(plan)} as t from ${relation}${plan.window})`;
  await session.run(
    `create temp table ${latest} as select s.r, ${keys.map(({ alias }) => `f.${alias}`).join(', ')}, f.t
     from ${asked} as s asof join ${offered} as f on ${keys.map(({ alias }) => `s.${alias} = f.${alias}`).join(' and ')} and s.t >= f.t
     ${maxAge === undefined ? '' : `where f.t >= s.t - ${maxAge}`}`,
  );

  const written = created === undefined ? '' : `, f.${quoteName(created.name)} as _tidemill_created`;
  const fetched = plan.features.map((column) => `, f.${quoteName(column)}`).join('');
  const same = keys.map(({ theirs, alias }) => `f.${theirs} = m.${alias}`).join(' and ');
  await session.run(
    `create temp table ${found} as select m.r${written}${fetched} from ${relation} as f join ${latest} as m
     on ${same} and ${instantOf(plan, 'f.')} = m.t`,
  );
  await session.run(`create temp table ${tied} as select r from ${found} group by r having count(*) > 1`);

  const names = quoteNames(plan.features);
  const order = [
    ...(created === undefined ? [] : ['_tidemill_created desc nulls last']),
    ...plan.features.map((column) => `${quoteName(column)} desc nulls last`),
  ];
  const best = `select r, ${names} from ${found} where r in (from ${tied}) qualify row_number() over (partition by r order by ${order.join(', ')}) = 1`;
  const matched = await session.row(`select count(*) as n from ${latest}`);
  const match = `_tidemill_match_${index}`;
  return {
    name: view.name,
    joins: `left join (select r, ${names} from ${found} where r not in (from ${tied}) union all (${best})) as ${match} on ${match}.r = _tidemill_spine.rowid`,
    features: plan.features.map((column) => ({
      expression: `${match}.${quoteName(column)}`,
      output: outputOf(plan, column),
    })),
    matched: Number(matched['n']),
  };
}
