import { describe, expect, test } from 'vitest';
import { explainStep, type RunView } from '../src/contracts/pipelines.ts';
import { newPostgresUrl } from '../src/platform/testing/database.ts';
import { startControlPlane } from './support/control-plane.ts';
import { openPipelineProject, states } from './support/pipeline-project.ts';

async function open(steps: string, databaseUrl?: string) {
  const server = await startControlPlane(databaseUrl === undefined ? {} : { databaseUrl });
  const project = await openPipelineProject(server.client, {
    'tidemill.yaml': `project: shop\npipelines:\n  p:\n    params: { floor: 0.9, found: '{"auc": 0.93}' }\n    steps:\n${steps}`,
  });
  await project.apply();
  return project;
}

/** Makes a json output of what the parameter `found` says. */
const best = `      best:   { run: 'printf %s "\${params.found}" > "$TIDEMILL_OUTPUT_CHOICE"', outputs: { choice: json }, params: [found] }
`;
const guarded = `${best}      ship:   { run: 'echo go > "$TIDEMILL_OUTPUT_X"', outputs: [x], params: [], when: best.choice.auc > params.floor }
      after:  { run: 'true', inputs: { x: ship.x } }
      last:   { run: 'true', needs: [after] }
      beside: { run: 'true' }
      tidy:   { run: 'true', always: true }
`;
const of = (run: RunView, name: string) => run.steps.find(({ step }) => step === name);

describe('a step with a condition', () => {
  test.each(['sqlite', 'postgres'])(
    'runs when it holds, else it is skipped with what needs it, and the run succeeds (%s)',
    async (kind) => {
      const project = await open(guarded, kind === 'postgres' ? await newPostgresUrl() : undefined);
      const first = await project.run();
      expect(first.state).toBe('succeeded');
      expect([...new Set(Object.values(states(first)))]).toEqual(['succeeded']);
      expect(of(first, 'ship')).toMatchObject({
        needs: ['best'], // nothing but the condition names it
        why: 'its condition holds: best.choice.auc > params.floor (best.choice.auc is 0.93, params.floor is 0.9); it has not run before',
      });

      const second = await project.run({ params: { floor: 0.95 } });
      expect(second.state).toBe('succeeded');
      expect(second.error).toBeUndefined();
      expect(states(second)).toEqual({
        best: 'cached',
        ship: 'skipped',
        after: 'skipped',
        last: 'skipped',
        beside: 'succeeded',
        tidy: 'succeeded',
      });
      const why =
        'its condition does not hold: best.choice.auc > params.floor (best.choice.auc is 0.93, params.floor is 0.95)';
      expect(of(second, 'ship')).toMatchObject({ why });
      expect(of(second, 'ship')?.error).toBeUndefined();
      expect(of(second, 'after')?.why).toBe('what it needs was skipped: ship');
      expect(of(second, 'last')?.why).toBe('what it needs was skipped: after');
      const explained = await project.client.call(explainStep, { params: { runId: second.id, step: 'ship' } });
      expect(explained).toMatchObject({ state: 'skipped', why });

      // what decides is not what the command depends on: another way to the same decision takes the earlier result
      const third = await project.run({ params: { floor: 0.5, found: '{"auc": 0.6, "more": 1}' } });
      expect(states(third)).toMatchObject({ best: 'succeeded', ship: 'cached', after: 'succeeded' });
      expect(of(third, 'ship')?.why).toContain('(best.choice.auc is 0.6, params.floor is 0.5); cached: ');
    },
  );

  test('fails when it cannot be decided, and says what lacks; has(…) asks first', async () => {
    const project = await open(`${best}      ship:   { run: 'true', when: best.choice.f1 > params.floor }
      after:  { run: 'true', needs: [ship] }
      asks:   { run: 'true', when: has(best.choice.f1) && best.choice.f1 > params.floor }
      number: { run: 'true', when: best.choice.auc }
`);
    const run = await project.run();
    expect(run).toMatchObject({ state: 'failed', error: { message: 'failed in ship, number' } });
    expect(states(run)).toMatchObject({ ship: 'failed', after: 'skipped', asks: 'skipped', number: 'failed' });
    expect(of(run, 'ship')?.error).toEqual({
      code: 'STEP_CONDITION_UNDECIDED',
      message:
        'its condition best.choice.f1 > params.floor cannot be decided: best.choice has no field "f1"; it has auc. Where a field may be missing, ask has(…) first',
    });
    expect(of(run, 'after')?.error?.code).toBe('STEP_DEPENDENCY_FAILED');
    expect(of(run, 'asks')?.why).toContain('(has(best.choice.f1) is false)');
    expect(of(run, 'number')?.error?.message).toContain('it is 0.93, not true or false');
  });

  test('says that an output is no JSON, too large, or was never made', async () => {
    const project =
      await open(`      nan:    { run: 'echo "{\\"auc\\": NaN}" > "$TIDEMILL_OUTPUT_X"', outputs: { x: metrics } }
      large:  { run: 'printf "\\"%070000d\\"" 1 > "$TIDEMILL_OUTPUT_X"', outputs: { x: json } }
      bad:    { run: 'exit 1', outputs: { x: json } }
      one:    { run: 'true', when: nan.x.auc > 0 }
      two:    { run: 'true', when: large.x == "" }
      three:  { run: 'true', when: bad.x.ok }
      always: { run: 'true', when: 'has(bad.x.ok)', always: true }
      never:  { run: 'true', when: bad.x.ok, always: true }
`);
    const run = await project.run();
    const problem = (name: string) => /cannot be decided: (.*)\. Where/.exec(of(run, name)?.error?.message ?? '')?.[1];
    expect(problem('one')).toBe('output "x" of step "nan" is not JSON (NaN is none)');
    expect(problem('two')).toBe('output "x" of step "large" is larger than 64 KiB');
    expect(of(run, 'three')?.error?.message).toBe('not run, because of what it needs: bad');
    expect(states(run)['always']).toBe('skipped');
    expect(problem('never')).toBe('step "bad" has made nothing: it is failed');
  });
});
