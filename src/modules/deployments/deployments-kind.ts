import type { DeploymentSpecDocument, RolloutSpec } from '#contracts/deployments';
import { parseRolloutCondition, rolloutMetrics } from '#contracts/rollout-condition';
import type { ResourceKind, SpecProblem } from '#platform/resource-kind';
import { listDeployments } from './deployment-store.ts';
import type { DeploymentsService } from './deployments-service.ts';

/** `deployments:` in tidemill.yaml. Revisions of a pruned deployment stay: predictions and lineage name them. */
export function createDeploymentsKind(
  deployments: Pick<DeploymentsService, 'declare'>,
): ResourceKind<DeploymentSpecDocument> {
  return {
    section: 'deployments',
    kind: 'deployment',
    async current(reader, project) {
      return new Map((await listDeployments(reader, { project })).map(({ name, spec }) => [name, spec]));
    },
    check: (_name, spec) => checkDeployment(spec),
    apply: (unit, project, { name, after }) => deployments.declare(unit, project, name, after),
  };
}

export function checkDeployment(spec: DeploymentSpecDocument): readonly SpecProblem[] {
  const problems: SpecProblem[] = spec.rollout === undefined ? [] : [...checkRollout(spec.rollout)];
  const { sticky } = spec;
  if (sticky !== undefined && sticky !== 'off') problems.push(...checkSticky(sticky));
  if (spec.subject !== undefined && spec.capture?.redact?.includes(spec.subject) === true)
    problems.push({
      path: ['subject'],
      message: `"${spec.subject}" names whom a record is about, and capture.redact keeps it out of the records`,
      expected: 'one of the two; or no subject here, and a pseudonym in `parameters.subject` of each request',
    });
  const names = (spec.shadows ?? []).map((shadow) => (typeof shadow === 'string' ? shadow : shadow.model));
  for (const [index, name] of names.entries())
    if (names.indexOf(name) < index)
      problems.push({ path: ['shadows', index], message: `${name} is named twice among the shadows` });
  return problems;
}

/** Each way that reads a named part of the request needs that name, and no other. */
function* checkSticky(sticky: Exclude<DeploymentSpecDocument['sticky'], 'off' | undefined>): Iterable<SpecProblem> {
  const examples = { header: 'x-customer', cookie: 'customer', column: 'customer_id' };
  for (const name of ['header', 'cookie', 'column'] as const) {
    if ((sticky.by === name) === (sticky[name] !== undefined)) continue;
    yield {
      path: ['sticky'],
      message: sticky.by === name ? `which ${name} decides is not said` : `"${name}" has no use with by: ${sticky.by}`,
      expected: `{ by: ${name}, ${name}: ${examples[name]} }`,
    };
  }
}

function* checkRollout({ steps, abort_when: abortWhen }: RolloutSpec): Iterable<SpecProblem> {
  const falling = steps.findIndex((step, index) => index > 0 && step <= (steps[index - 1] ?? 0));
  if (falling !== -1)
    yield {
      path: ['rollout', 'steps', falling],
      message: 'each step gives the new revision more than the one before',
      expected: 'rising percentages: [10, 50, 100]',
    };
  if (steps.at(-1) !== 100)
    yield {
      path: ['rollout', 'steps', steps.length - 1],
      message: 'the last step gives the new revision everything',
      expected: '100',
    };
  if (abortWhen === undefined) return;
  const parsed = parseRolloutCondition(abortWhen);
  if ('problem' in parsed)
    yield {
      path: ['rollout', 'abort_when'],
      message: parsed.problem,
      expected: 'comparisons joined by `or`: error_rate > 0.01 or latency_p99 > 250ms',
      known: rolloutMetrics,
    };
}
