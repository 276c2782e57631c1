import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { GraphDocument, ModelNode, operations, SplitNode, SwitchNode, UseNode } from '#contracts/graph-document';
import { nearestName } from '#contracts/nearest-name';

interface ObjectSchema extends TSchema {
  readonly properties: Readonly<Record<string, TSchema>>;
}

/** What is wrong with a document that is no graph, in words, with its place in front. */
export function describeGraphProblem(value: unknown): string {
  if (!isRecord(value)) return 'it is no mapping; it needs `nodes`';
  const { nodes } = value;
  return (
    findUnknown('', value, GraphDocument) ??
    (isRecord(nodes) ? Object.entries(nodes).flatMap(([name, node]) => nodeProblem(name, node) ?? [])[0] : undefined) ??
    problemOf('', value, GraphDocument)
  );
}

function nodeProblem(name: string, node: unknown): string | undefined {
  const place = `nodes.${name}`;
  if (!isRecord(node)) return `at ${place}: a node is a mapping with one of model, file, use, switch, split`;
  const { use } = node;
  if (use !== undefined && !operations.some((known) => known === use)) {
    const given = typeof use === 'string' ? use : JSON.stringify(use);
    return `at ${place}.use: there is no step "${given}"${hint(given, operations)}`;
  }
  const schema = 'use' in node ? UseNode : 'switch' in node ? SwitchNode : 'split' in node ? SplitNode : ModelNode;
  return (
    findUnknown(`${place}.`, node, schema) ?? (Value.Check(schema, node) ? undefined : problemOf(place, node, schema))
  );
}

function findUnknown(
  place: string,
  value: Readonly<Record<string, unknown>>,
  schema: ObjectSchema,
): string | undefined {
  const known = Object.keys(schema.properties);
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  return unknown === undefined ? undefined : `at ${place}${unknown}: it is not known there${hint(unknown, known)}`;
}

function hint(given: string, known: readonly string[]): string {
  const near = nearestName(given, known);
  return near === undefined ? `; known are ${known.join(', ')}` : `; did you mean "${near}"?`;
}

function problemOf(place: string, value: unknown, schema: TSchema): string {
  const [first] = Value.Errors(schema, value);
  const where = [place, (first?.instancePath ?? '').slice(1).replaceAll('/', '.')]
    .filter((part) => part !== '')
    .join('.');
  return `${where === '' ? '' : `at ${where}: `}${first?.message ?? 'it is no graph'}`;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
