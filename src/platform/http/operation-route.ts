import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Answer, MakeAnswer, OperationInput, OperationShape } from '#contracts/operation';
import type { RequestContext } from './request-context.ts';
import { contextOf, recordSensitive } from './route-access.ts';
import { createSchemaCompiler, type LazyValidator } from './validation.ts';

/** What a handler receives: the checked parts of the request and who asks. */
export type OperationCall<O extends OperationShape> = OperationInput<O> & {
  readonly context: RequestContext;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
};

const answer = (status: number, body: unknown) => ({ status, body }) as Answer;
const nothing = { type: 'object', properties: {}, additionalProperties: false };

/**
 * Registers one operation of our own API. The caller's permission in `context.project` has been checked, unknown fields
 * have been refused. `answer(status, body)` is the only way to make the result, and checks it against the schema.
 */
export function registerOperation<const O extends OperationShape>(
  app: FastifyInstance,
  operation: O,
  handle: (call: OperationCall<O>, answer: MakeAnswer<O>) => Promise<Answer>,
): void {
  const checkAnswer = createAnswerCheck(operation);
  app.route({
    method: operation.method,
    url: operation.path,
    config: { access: { id: operation.id, permission: operation.permission }, operation },
    schema: {
      querystring: operation.query ?? nothing,
      ...(operation.params && { params: operation.params }),
      ...(operation.body && { body: operation.body }),
    },
    ...recordSensitive(operation.id, operation.sensitive),
    handler: async (request, reply) => {
      const { params, query, body } = request;
      const carryOut = async (context: RequestContext): Promise<Answer> => {
        const output = await handle({ params, query, body, context, request, reply } as OperationCall<O>, answer);
        if (request.tidemill.checkAnswers) checkAnswer(output);
        return output;
      };
      const output = await answerOnce(operation, request, reply, carryOut);
      reply.status(output.status);
      return output.status === 204 ? reply.send() : reply.send(output.body);
    },
  });
}

/** A key is for what changes something and is not the same when it is done twice. */
const takesKey = ({ method, permission }: OperationShape): boolean =>
  (method === 'POST' || method === 'PATCH') && permission !== 'read' && permission !== 'public';

async function answerOnce(
  operation: OperationShape,
  request: FastifyRequest,
  reply: FastifyReply,
  carryOut: (context: RequestContext) => Promise<Answer>,
): Promise<Pick<Answer, 'status' | 'body'>> {
  const context = contextOf(request);
  const key = request.headers['idempotency-key'];
  const { idempotency } = request.tidemill;
  if (key === undefined || idempotency === undefined || !takesKey(operation)) return await carryOut(context);
  const { params, query, body } = request;
  const done = await idempotency.once(
    {
      project: context.project,
      principal: context.principal.id,
      key: String(key),
      content: [operation.id, params, query, body ?? null],
      write: context.write,
      secretAnswer: operation.secretAnswer ?? false,
    },
    async (write) => carryOut({ ...context, write }),
  );
  if (done.replayed) void reply.header('idempotency-replayed', 'true');
  return done;
}

/** Tests compare every answer with its schema, so that OpenAPI and the SDK's types tell the truth. */
function createAnswerCheck(operation: OperationShape): (output: Answer) => void {
  const validators = new Map<number, LazyValidator>();
  return ({ status, body }) => {
    const schema = operation.responses[status];
    if (schema === undefined) throw new Error(`${operation.id} answered ${status}, which it does not declare`);
    if (status === 204) return;
    const validate = validators.get(status) ?? createSchemaCompiler().compile({ ...schema }, 'answer');
    validators.set(status, validate);
    const sent: unknown = JSON.parse(JSON.stringify(body ?? null)); // undefined fields are not sent
    if (!validate(sent)) {
      const first = validate.errors?.[0];
      throw new Error(
        `${operation.id} answered ${status} against its schema: ${first?.instancePath} ${first?.message}`,
      );
    }
  };
}
