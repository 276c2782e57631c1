import type { FastifyInstance } from 'fastify';
import { defaultPageLimit } from '#contracts/page';
import {
  abortRollout,
  getRollout,
  listRollouts,
  promoteRollout,
  type RolloutView,
  rollbackDeployment,
} from '#contracts/rollouts';
import type { Reader, Unit } from '#platform/database';
import { type RequestContext, registerOperation } from '#platform/http';
import { readUntil } from '#platform/read-until';
import { decodeCursor, encodeCursor } from '#platform/sql';
import { isUnderWay, type Rollout } from './rollout-store.ts';
import type { RolloutsDeps } from './rollouts-deps.ts';
import type { RolloutStanding, RolloutsApi } from './rollouts-service.ts';

const why = (context: RequestContext, body: { readonly reason?: string }) =>
  body.reason ?? `by hand, ${context.principal.id}`;

export function registerRolloutRoutes(
  app: FastifyInstance,
  deps: Pick<RolloutsDeps, 'database' | 'events' | 'clock'> & { readonly rollouts: RolloutsApi },
): void {
  const { database, events, clock, rollouts } = deps;
  const view = async (reader: Reader, rollout: Rollout) =>
    toView(rollout, await rollouts.standing(reader, rollout, clock.nowMs()));
  const change = async (context: RequestContext, work: (unit: Unit) => Promise<Rollout>) =>
    view(database.read, await database.write(context.write, work));

  registerOperation(app, listRollouts, async ({ query, context }, answer) => {
    const limit = query.limit ?? defaultPageLimit;
    const found = await rollouts.list(database.read, {
      project: context.project,
      deployment: query.deployment,
      state: query.state,
      before: query.cursor === undefined ? undefined : String(decodeCursor(query.cursor)[0]),
      limit: limit + 1,
    });
    const shown = found.slice(0, limit);
    const last = shown.at(-1);
    return answer(200, {
      items: await Promise.all(shown.map((rollout) => view(database.read, rollout))),
      ...(found.length > limit && last !== undefined && { next: encodeCursor([last.id]) }),
    });
  });

  registerOperation(app, getRollout, async ({ params, query, context }, answer) => {
    const found = await readUntil({
      events,
      read: () => rollouts.get(database.read, context.project, params.rolloutId),
      isOver: (rollout) => !isUnderWay(rollout),
      concerns: ({ type, data }) =>
        type.startsWith('rollout.') && 'rolloutId' in data && data.rolloutId === params.rolloutId,
      waitMs: (query.wait ?? 0) * 1000,
      signal: context.signal,
    });
    return answer(200, await view(database.read, found));
  });

  registerOperation(app, promoteRollout, async ({ params, body, context }, answer) =>
    answer(
      200,
      await change(context, (unit) => rollouts.promote(unit, context.project, params.rolloutId, why(context, body))),
    ),
  );

  registerOperation(app, abortRollout, async ({ params, body, context }, answer) =>
    answer(
      200,
      await change(context, (unit) => rollouts.abort(unit, context.project, params.rolloutId, why(context, body))),
    ),
  );

  registerOperation(app, rollbackDeployment, async ({ params, body, context }, answer) =>
    answer(
      200,
      await change(context, (unit) => rollouts.rollback(unit, context.project, params.name, why(context, body))),
    ),
  );
}

function toView(rollout: Rollout, { evidence, waitsFor, reason }: RolloutStanding): RolloutView {
  const { plan, step } = rollout;
  const percent = rollout.state === 'stepping' || rollout.state === 'completed' ? (plan.steps[step] ?? 0) : 0;
  return {
    id: rollout.id,
    deployment: rollout.deployment,
    state: rollout.state,
    reason: reason ?? rollout.reason,
    ...(waitsFor !== undefined && { waitsFor }),
    model: rollout.model,
    version: rollout.version,
    revision: rollout.revision,
    from: rollout.from.map((weight) => ({ ...weight })),
    ...(rollout.promotionId !== undefined && { promotionId: rollout.promotionId }),
    steps: [...plan.steps],
    step,
    percent,
    each: { ...plan.each },
    clock: plan.clock,
    ...(plan.abortWhen !== undefined && { abortWhen: plan.abortWhen }),
    ...(evidence && { evidence }),
    previousWarm: rollout.previousWarm,
    startedAt: new Date(rollout.startedMs).toISOString(),
    ...(rollout.endedMs !== undefined && { endedAt: new Date(rollout.endedMs).toISOString() }),
  };
}
