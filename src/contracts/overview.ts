import { type Static, Type } from 'typebox';
import { MetricSuite } from './evaluation.ts';
import { EventOnWire } from './event-operations.ts';
import { defineOperation } from './operation.ts';
import { GoalSpec } from './projects.ts';

const Instant = Type.String({ format: 'date-time' });
const Failure = Type.Object({ code: Type.String(), message: Type.String() });
const Share = Type.Object({
  model: Type.String(),
  version: Type.Integer(),
  basisPoints: Type.Integer({ description: 'of 10,000' }),
});
const Point = Type.Object({
  end: Instant,
  state: Type.String(),
  value: Type.Optional(Type.Number()),
  lower: Type.Optional(Type.Number()),
  upper: Type.Optional(Type.Number()),
  n: Type.Optional(Type.Integer()),
  shadow: Type.Optional(Type.Number({ description: 'the same figure of the oldest shadow on the same window' })),
});

/** The state of one project's loop, from goal to retraining, on one page. */
export const Overview = Type.Object({
  project: Type.String(),
  goal: Type.Optional(GoalSpec),
  datasets: Type.Array(
    Type.Object({
      name: Type.String(),
      version: Type.Optional(Type.Integer()),
      rows: Type.Optional(Type.Integer()),
      parts: Type.Optional(Type.Integer()),
      timeMin: Type.Optional(Instant),
      timeMax: Type.Optional(Instant),
      landedAt: Type.Optional(Instant),
      ingesting: Type.Boolean(),
    }),
    { description: 'those declared; not what pipelines make' },
  ),
  pipelines: Type.Array(
    Type.Object({
      name: Type.String(),
      lastRun: Type.Optional(
        Type.Object({
          id: Type.String(),
          state: Type.String(),
          trigger: Type.String(),
          createdAt: Instant,
          endedAt: Type.Optional(Instant),
          model: Type.Optional(Type.String({ description: 'what it registered: model:late-arrival@2' })),
          verdict: Type.Optional(Type.String()),
          error: Type.Optional(Failure),
          steps: Type.Array(
            Type.Object({
              name: Type.String(),
              state: Type.String(),
              why: Type.Optional(Type.String({ description: 'of a step that waits: what for' })),
              startedAt: Type.Optional(Instant),
              endedAt: Type.Optional(Instant),
              error: Type.Optional(Failure),
            }),
          ),
        }),
      ),
    }),
  ),
  models: Type.Array(
    Type.Object({
      name: Type.String(),
      latestVersion: Type.Optional(Type.Integer()),
      champion: Type.Optional(
        Type.Object({
          version: Type.Integer(),
          createdAt: Type.Optional(Instant),
          run: Type.Optional(Type.String()),
          verdict: Type.Optional(Type.String()),
          n: Type.Optional(Type.Integer({ description: 'test rows whose truth is known' })),
          metrics: Type.Optional(MetricSuite),
        }),
      ),
    }),
  ),
  deployments: Type.Array(
    Type.Object({
      name: Type.String(),
      state: Type.String(),
      reason: Type.Optional(Type.String()),
      traffic: Type.Array(Share),
      shadows: Type.Array(Type.String()),
      requests: Type.Integer({ description: 'primary requests of all revisions' }),
      errors: Type.Integer(),
      rollout: Type.Optional(
        Type.Object({
          state: Type.String(),
          version: Type.Integer(),
          percent: Type.Number(),
          reason: Type.String(),
          startedAt: Instant,
          endedAt: Type.Optional(Instant),
        }),
      ),
    }),
  ),
  monitors: Type.Array(
    Type.Object({
      name: Type.String(),
      deployment: Type.String(),
      metric: Type.Optional(Type.String()),
      target: Type.Optional(Type.String()),
      waitingFor: Type.Optional(Type.String()),
      window: Type.Optional(
        Type.Object({
          start: Instant,
          end: Instant,
          state: Type.String(),
          predictions: Type.Integer(),
          labelled: Type.Integer(),
          drifted: Type.Array(Type.String()),
          verdicts: Type.Array(Type.Object({ metric: Type.String(), state: Type.String(), reason: Type.String() })),
        }),
      ),
      history: Type.Array(Point, { description: 'the metric over the newest windows, oldest first' }),
    }),
  ),
  triggers: Type.Array(
    Type.Object({
      name: Type.String(),
      when: Type.String({ description: 'what it listens to, or its cron pattern' }),
      run: Type.String(),
      nextAt: Type.Optional(Instant),
      last: Type.Optional(
        Type.Object({ state: Type.String(), at: Instant, clockAt: Instant, reason: Type.Optional(Type.String()) }),
      ),
    }),
  ),
  alerts: Type.Array(
    Type.Object({
      id: Type.String(),
      reference: Type.String(),
      severity: Type.String(),
      title: Type.String(),
      state: Type.String(),
      count: Type.Integer(),
      openedAt: Instant,
      lastSeenAt: Instant,
      resolvedAt: Type.Optional(Instant),
      resolvedReason: Type.Optional(Type.String()),
      note: Type.Optional(Type.String({ description: 'what it means, from its evidence' })),
    }),
    { description: 'newest first' },
  ),
  events: Type.Array(EventOnWire, { description: 'newest first' }),
});
export type Overview = Static<typeof Overview>;

export const getOverview = defineOperation({
  id: 'overview.get',
  method: 'GET',
  path: '/api/v1/overview',
  summary: "Show the state of the project's loop: goal, data, last runs, champions, traffic, monitors, alerts, events.",
  permission: 'read',
  responses: { 200: Overview },
});
