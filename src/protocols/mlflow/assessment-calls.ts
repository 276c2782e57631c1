import type { CallInput, MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter } from './mlflow-errors.ts';
import { expectationOf, feedbackOf, toNewAssessment } from './trace-fields.ts';
import { toWireAssessment } from './trace-views.ts';
import type { WireFields } from './wire-fields.ts';

const prefix = '/3.0/mlflow/traces/:traceId/assessments';

const nameOf = ({ project, params }: CallInput) => ({
  project,
  traceId: params['traceId'] ?? '',
  assessmentId: params['assessmentId'] ?? '',
});

/** A field mask is a list of names in a text, in camelCase as protobuf's JSON writes it; old clients send an object. */
function maskOf(fields: WireFields): readonly string[] {
  const given = fields.any('update_mask');
  const paths = typeof given === 'string' ? given.split(',') : (fields.message('update_mask')?.texts('paths') ?? []);
  const names = paths.map((path) => path.trim().replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
  if (names.every((name) => name === '')) throw fields.missing('update_mask');
  return names;
}

function changeOf(fields: WireFields) {
  const assessment = fields.message('assessment');
  if (assessment === undefined) throw fields.missing('assessment');
  const mask = maskOf(fields);
  const [feedback, expectation] = [assessment.message('feedback'), assessment.message('expectation')];
  for (const [name, value] of [
    ['feedback', feedback],
    ['expectation', expectation],
  ] as const)
    if (mask.includes(name) && value === undefined)
      throw invalidParameter(`update_mask names '${name}', which the assessment does not hold`);
  return {
    ...(mask.includes('assessment_name') && { name: assessment.requiredName('assessment_name') }),
    ...(mask.includes('feedback') && feedback !== undefined && { feedback: feedbackOf(assessment, feedback) }),
    ...(mask.includes('expectation') && expectation !== undefined && { expectation: expectationOf(expectation) }),
    ...(mask.includes('rationale') && { rationale: assessment.text('rationale') ?? '' }),
    ...(mask.includes('metadata') && { metadata: assessment.textMap('metadata') }),
    ...(mask.includes('valid') && { valid: assessment.flag('valid') ?? true }),
  };
}

/** What people, judges and programs say of a trace. */
export function assessmentCalls({ database, traces }: MlflowDeps): readonly MlflowCall[] {
  return [
    {
      method: 'POST',
      path: prefix,
      permission: 'write',
      handle: async ({ fields, params, project, context }) => {
        const given = fields.message('assessment');
        if (given === undefined) throw fields.missing('assessment');
        const input = { project, traceId: params['traceId'] ?? '', assessment: toNewAssessment(given) };
        const made = await database.write(context.write, (unit) => traces.createAssessment(unit, input));
        return { assessment: toWireAssessment(made) };
      },
    },
    {
      method: 'GET',
      path: `${prefix}/:assessmentId`,
      permission: 'read',
      handle: async (call) => ({
        assessment: toWireAssessment(await traces.assessment(database.read, nameOf(call))),
      }),
    },
    {
      method: 'PATCH',
      path: `${prefix}/:assessmentId`,
      permission: 'write',
      handle: async (call) => {
        const input = { ...nameOf(call), change: changeOf(call.fields) };
        const changed = await database.write(call.context.write, (unit) => traces.updateAssessment(unit, input));
        return { assessment: toWireAssessment(changed) };
      },
    },
    {
      method: 'DELETE',
      path: `${prefix}/:assessmentId`,
      permission: 'write',
      handle: async (call) => {
        const name = nameOf(call);
        await database.write(call.context.write, (unit) => traces.deleteAssessment(unit, name));
        return {};
      },
    },
  ];
}
