import { type SpanAttribute, type SpanValue, toPlain, toText } from './span-value.ts';
import type { Span } from './traces-types.ts';

/** The names of attributes by which MLflow's clients and UI know a span's parts. */
export const spanKeys = {
  type: 'mlflow.spanType',
  inputs: 'mlflow.spanInputs',
  outputs: 'mlflow.spanOutputs',
  usage: 'mlflow.chat.tokenUsage',
  cost: 'mlflow.llm.cost',
  model: 'mlflow.llm.model',
  provider: 'mlflow.llm.provider',
  traceTag: 'mlflow.traceTag.',
} as const;

/** What other conventions call the same: OpenTelemetry's for generative AI, OpenInference, Traceloop; the first counts. */
const names = {
  kind: ['openinference.span.kind', 'gen_ai.operation.name', 'traceloop.span.kind'],
  inputs: ['input.value', 'gen_ai.input.messages', 'gen_ai.tool.call.arguments', 'traceloop.entity.input'],
  outputs: ['output.value', 'gen_ai.output.messages', 'gen_ai.tool.call.result', 'traceloop.entity.output'],
  model: ['gen_ai.response.model', 'gen_ai.request.model', 'llm.response.model_name', 'llm.model_name'],
  provider: ['gen_ai.provider.name', 'llm.provider', 'gen_ai.system'],
  input_tokens: ['gen_ai.usage.input_tokens', 'llm.token_count.prompt', 'gen_ai.usage.prompt_tokens'],
  output_tokens: ['gen_ai.usage.output_tokens', 'llm.token_count.completion', 'gen_ai.usage.completion_tokens'],
  total_tokens: ['llm.token_count.total', 'llm.usage.total_tokens'],
  cache_read_input_tokens: ['gen_ai.usage.cache_read.input_tokens', 'llm.token_count.prompt_details.cache_read'],
  cache_creation_input_tokens: ['gen_ai.usage.cache_write.input_tokens', 'gen_ai.usage.cache_creation.input_tokens'],
} as const;

/** Types of spans as MLflow names them, by the words of the other conventions in lower case. */
const types: Readonly<Record<string, string>> = {
  llm: 'LLM',
  chain: 'CHAIN',
  agent: 'AGENT',
  tool: 'TOOL',
  retriever: 'RETRIEVER',
  embedding: 'EMBEDDING',
  reranker: 'RERANKER',
  guardrail: 'GUARDRAIL',
  evaluator: 'EVALUATOR',
  workflow: 'WORKFLOW',
  task: 'TASK',
  chat: 'CHAT_MODEL',
  create_agent: 'AGENT',
  invoke_agent: 'AGENT',
  embeddings: 'EMBEDDING',
  execute_tool: 'TOOL',
  generate_content: 'LLM',
  text_completion: 'LLM',
  response: 'LLM',
};
const unknownType = 'UNKNOWN';
const maxDimensionLength = 500;

export interface Cost {
  readonly input: number | undefined;
  readonly output: number | undefined;
  readonly total: number | undefined;
}
/** Counts by MLflow's names: `input_tokens`, `output_tokens`, `total_tokens` and those of caches. */
export type TokenUsage = Readonly<Record<string, number>>;

export interface SpanFacts {
  readonly type: string;
  readonly model: string | undefined;
  readonly provider: string | undefined;
  readonly usage: TokenUsage | undefined;
  readonly cost: Cost | undefined;
  readonly inputs: SpanValue | undefined;
  readonly outputs: SpanValue | undefined;
}

type Attributes = ReadonlyMap<string, SpanValue>;
export const attributesOf = (span: Span): Attributes => new Map(span.attributes);

function first(attributes: Attributes, keys: readonly string[]): SpanValue | undefined {
  const key = keys.find((name) => attributes.get(name) !== undefined && attributes.get(name) !== null);
  return key === undefined ? undefined : attributes.get(key);
}

/** An object that was sent as a map, or as a text of JSON. */
export function toRecord(value: SpanValue | undefined): Readonly<Record<string, unknown>> | undefined {
  const plain = typeof value === 'string' ? parseOr(value) : value === undefined ? undefined : toPlain(value);
  return typeof plain === 'object' && plain !== null && !Array.isArray(plain)
    ? (plain as Readonly<Record<string, unknown>>)
    : undefined;
}

export function parseOr(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // it is a text and no JSON
  }
}

const toCount = (value: unknown): number | undefined => {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) ? number : undefined;
};
const toAmount = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined;

const usageKeys = ['input_tokens', 'output_tokens', 'total_tokens'] as const;
const cacheKeys = ['cache_read_input_tokens', 'cache_creation_input_tokens'] as const;

/** Only counts are kept. */
export function toUsage(record: Readonly<Record<string, unknown>> | undefined): TokenUsage | undefined {
  const counts = Object.entries(record ?? {}).flatMap(([key, value]) => {
    const count = toCount(value);
    return count === undefined ? [] : [[key, count] as const];
  });
  return counts.length === 0 ? undefined : Object.fromEntries(counts);
}

function usageOf(attributes: Attributes): TokenUsage | undefined {
  const told = toUsage(toRecord(attributes.get(spanKeys.usage)));
  if (told !== undefined) return told;
  const counted = [...usageKeys, ...cacheKeys].flatMap((key) => {
    const value = first(attributes, names[key]);
    const count = value === undefined ? undefined : toCount(toPlain(value));
    return count === undefined ? [] : [[key, count] as const];
  });
  if (counted.length === 0) return undefined;
  const usage: Record<string, number> = Object.fromEntries(counted);
  usage['total_tokens'] ??= (usage['input_tokens'] ?? 0) + (usage['output_tokens'] ?? 0);
  return usage;
}

function costOf(attributes: Attributes): Cost | undefined {
  const record = toRecord(attributes.get(spanKeys.cost));
  if (record === undefined) return undefined;
  const cost = {
    input: toAmount(record['input_cost']),
    output: toAmount(record['output_cost']),
    total: toAmount(record['total_cost']),
  };
  return Object.values(cost).every((amount) => amount === undefined) ? undefined : cost;
}

function dimension(value: SpanValue | undefined): string | undefined {
  return value === undefined || value === null ? undefined : toText(value).slice(0, maxDimensionLength);
}

function typeOf(attributes: Attributes): string {
  const told = dimension(attributes.get(spanKeys.type));
  if (told !== undefined) return told;
  const kind = dimension(first(attributes, names.kind));
  return types[kind?.toLowerCase() ?? ''] ?? unknownType;
}

/** What is asked about a span, whichever convention it speaks. */
export function factsOf(attributes: Attributes): SpanFacts {
  return {
    type: typeOf(attributes),
    model: dimension(first(attributes, [spanKeys.model, ...names.model])),
    provider: dimension(first(attributes, [spanKeys.provider, ...names.provider])),
    usage: usageOf(attributes),
    cost: costOf(attributes),
    inputs: first(attributes, [spanKeys.inputs, ...names.inputs]),
    outputs: first(attributes, [spanKeys.outputs, ...names.outputs]),
  };
}

/** The span with what its convention calls otherwise under MLflow's names as well, so that its clients see it. */
export function withMlflowNames(span: Span, attributes: Attributes, facts: SpanFacts): Span {
  const more: SpanAttribute[] = [];
  const add = (key: string, value: SpanValue | undefined) => {
    if (value !== undefined && !attributes.has(key)) more.push([key, value]);
  };
  if (facts.type !== unknownType) add(spanKeys.type, facts.type);
  add(spanKeys.inputs, facts.inputs);
  add(spanKeys.outputs, facts.outputs);
  if (facts.usage !== undefined) add(spanKeys.usage, { m: Object.entries(facts.usage) });
  add(spanKeys.model, facts.model);
  add(spanKeys.provider, facts.provider);
  return more.length === 0 ? span : { ...span, attributes: [...span.attributes, ...more] };
}

interface Node<Amounts> {
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly amounts: Amounts | undefined;
}

/**
 * The sum over a trace. A span that carries amounts stands for everything below it: some libraries write what their
 * children used on the parent as well. Walked without recursion: traces are thousands of spans deep.
 */
export function sumOverTree(
  nodes: readonly Node<Readonly<Record<string, number>>>[],
): Readonly<Record<string, number>> | undefined {
  const byId = new Map(nodes.map((node) => [node.spanId, node]));
  const children = new Map<string | undefined, Node<Readonly<Record<string, number>>>[]>();
  for (const node of nodes) {
    const above = node.parentSpanId !== undefined && byId.has(node.parentSpanId) ? node.parentSpanId : undefined;
    const siblings = children.get(above);
    if (siblings === undefined) children.set(above, [node]);
    else siblings.push(node);
  }
  const open = [...(children.get(undefined) ?? [])];
  const sum = new Map<string, number>();
  const seen = new Set<string>();
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (seen.has(node.spanId)) continue;
    seen.add(node.spanId);
    if (node.amounts === undefined) open.push(...(children.get(node.spanId) ?? []));
    else for (const [key, value] of Object.entries(node.amounts)) sum.set(key, (sum.get(key) ?? 0) + value);
  }
  return sum.size === 0 ? undefined : Object.fromEntries(sum);
}
