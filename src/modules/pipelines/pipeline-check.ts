import type { PipelineSpec } from '#contracts/pipelines';
import { gateNames, parseGate, unknownNames } from '#modules/evaluation';
import type { SpecProblem, WorkspaceDocument } from '#platform/resource-kind';
import { codeOf, hiddenImport, missingProgram } from './code-files.ts';
import { checkCondition } from './condition-check.ts';
import { checkForeach } from './foreach-check.ts';
import { checkModel } from './model-check.ts';
import { findOutput, notMade } from './output-check.ts';
import { expandSteps, findCycle, parseInput, registerStep } from './pipeline-graph.ts';
import { checkPlaceholders } from './placeholder-check.ts';
import { checkUse } from './use-check.ts';

/** What the schema cannot say of a pipeline. */
export function checkPipeline(spec: PipelineSpec, document: WorkspaceDocument): readonly SpecProblem[] {
  const problems: SpecProblem[] = [];
  const datasets = Object.keys(document.sections['datasets'] ?? {});
  const features = Object.keys(document.sections['features'] ?? {});
  const tree = document.files.map((path) => ({ path, sha256: '', sizeBytes: 0 }));

  for (const [stepName, step] of Object.entries(spec.steps)) {
    const at = (...rest: readonly (string | number)[]) => ['steps', stepName, ...rest];
    if (stepName === registerStep && spec.model !== undefined)
      problems.push({
        path: at(),
        message: `"${registerStep}" is the name of the step that registers the model; choose another`,
      });
    for (const [name, input] of Object.entries(step.inputs ?? {})) {
      const source = parseInput(stepName, name, input);
      const isOutput = source.kind === 'step' || source.kind === 'unknown';
      if (typeof input === 'string' && isOutput && findOutput(spec, input) === undefined)
        problems.push(notMade(spec, input, at('inputs', name)));
      const isMade = source.kind === 'dataset' && Object.hasOwn(spec.steps, source.name.split('.')[1] ?? '');
      if (source.kind === 'dataset' && !datasets.includes(source.name) && !isMade)
        problems.push({ path: at('inputs', name), message: `there is no dataset "${source.name}"`, known: datasets });
      if (source.kind === 'join') {
        const spine = source.join.spine.replace(/^dataset:/, '').split('@')[0] ?? '';
        if (!datasets.includes(spine))
          problems.push({
            path: at('inputs', name, 'spine'),
            message: `there is no dataset "${spine}"`,
            known: datasets,
          });
        for (const [index, view] of source.join.features.entries())
          if (!features.includes(view))
            problems.push({
              path: at('inputs', name, 'features', index),
              message: `there is no feature view "${view}"`,
              known: features,
            });
      }
    }
    problems.push(...checkUse(spec, step, at(), document), ...checkForeach(spec, stepName, step, at()));
    if (step.when !== undefined) problems.push(...checkCondition(spec, step.when, at('when')));
    for (const variable of Object.keys(step.secrets ?? {}))
      if (variable in (step.env ?? {}) || /^(TIDEMILL|MLFLOW)_/.test(variable))
        problems.push({
          path: at('secrets', variable),
          message: `the variable "${variable}" is taken: ${variable in (step.env ?? {}) ? '`env` sets it too' : 'each step gets it from the server'}`,
        });
    problems.push(...checkPlaceholders(spec, stepName, step));
    for (const [index, need] of (step.needs ?? []).entries())
      if (!(need in spec.steps) && !(need === registerStep && spec.model !== undefined))
        problems.push({
          path: at('needs', index),
          message: `there is no step "${need}"`,
          known: Object.keys(spec.steps),
        });
    for (const [index, param] of (step.params ?? []).entries())
      if (!(param in (spec.params ?? {})))
        problems.push({
          path: at('params', index),
          message: `there is no parameter "${param}"`,
          known: Object.keys(spec.params ?? {}),
        });
    if (step.code !== undefined && codeOf(step, tree).length === 0)
      problems.push({ path: at('code'), message: 'no file of the project matches', known: document.files });
    const program = missingProgram(step, document.files);
    if (program !== undefined)
      problems.push({
        path: at('run'),
        message: `there is no file "${program}" in the project`,
        expected: 'a file of the project, which git does not ignore',
        known: document.files,
      });
    const hidden = hiddenImport(step, tree, spec.steps, (path) => document.readText?.(path));
    if (hidden !== undefined)
      problems.push({
        path: at('run'),
        message: `${hidden.file} imports ${hidden.imports}, which is the program of another step and so not there`,
        expected: `code: [${hidden.file}, ${hidden.imports}], or what both need in a file of its own`,
      });
  }
  if (spec.python !== undefined && !document.files.includes(spec.python))
    problems.push({
      path: ['python'],
      message: `there is no file "${spec.python}"`,
      expected: 'a requirements file',
      known: document.files,
    });
  problems.push(...checkModel(spec));
  for (const [index, gate] of (spec.model?.gates ?? []).entries()) {
    const parsed = parseGate(gate);
    const path = ['model', 'gates', index];
    if (!parsed.ok)
      problems.push({
        path,
        message: `the gate "${gate}" cannot be read at character ${parsed.problem.at + 1}`,
        expected: parsed.problem.expected,
      });
    else
      for (const name of unknownNames(parsed.gate, spec.model?.metrics !== undefined))
        problems.push({
          path,
          message: `no metric is named "${name}"`,
          expected: `${gateNames.join(', ')}, or a number of your own by \`metrics:\``,
          known: gateNames,
        });
  }
  const cycle = findCycle(expandSteps(spec));
  if (cycle !== undefined)
    problems.push({
      path: ['steps', cycle[0] ?? ''],
      message: `the steps need each other in a circle: ${cycle.join(' → ')}`,
    });
  return problems;
}
