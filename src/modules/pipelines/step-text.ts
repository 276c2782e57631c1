import { type Expression, parseExpression, type Reference, type SyntaxProblem } from '#contracts/condition-syntax';
import { evaluateExpression, type Found } from '#contracts/condition-value';

/** A text with `${…}` in it, each an expression as in `when`: `the new model has an AUC of ${fit.report.auc}`. */
type ParsedText =
  | { readonly ok: true; readonly expressions: readonly Expression[] }
  | { readonly ok: false; readonly problem: SyntaxProblem };

const placeholder = /\$\{([^}]*)\}/g;

export function parseText(text: string): ParsedText {
  const expressions: Expression[] = [];
  for (const match of text.matchAll(placeholder)) {
    const parsed = parseExpression(match[1] ?? '');
    if (!parsed.ok) {
      const { at, expected } = parsed.problem;
      return { ok: false, problem: { at: match.index + 2 + at, expected } };
    }
    expressions.push(parsed.expression);
  }
  const open = text.replaceAll(placeholder, ({ length }) => ' '.repeat(length)).indexOf('${');
  if (open !== -1) return { ok: false, problem: { at: open, expected: '"}" after "${"' } };
  return { ok: true, expressions };
}

/** The text with values in place of expressions: a text as it is, everything else as JSON. */
export function expandText(
  text: string,
  lookup: (reference: Reference) => Found,
): string | { readonly problem: string } {
  let problem: string | undefined;
  const expanded = text.replaceAll(placeholder, (whole, inner: string) => {
    const parsed = parseExpression(inner);
    const evaluated = parsed.ok
      ? evaluateExpression(parsed.expression, lookup)
      : { problem: `${whole} cannot be read` };
    if ('problem' in evaluated) {
      problem ??= evaluated.problem;
      return whole;
    }
    return typeof evaluated.value === 'string' ? evaluated.value : JSON.stringify(evaluated.value);
  });
  return problem === undefined ? expanded : { problem };
}
