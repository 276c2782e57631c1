import type { Static, TObject, TSchema } from 'typebox';

/**
 * What a caller needs to be allowed to do. `read` is granted to viewers, `write` to editors, `approve` to approvers,
 * `admin` to admins; each role holds those before it. `public` needs no principal; `step` and `replica` are held by
 * the tokens of job attempts and data planes alone (an admin holds them too).
 */
export type Permission = 'public' | 'read' | 'write' | 'approve' | 'admin' | 'step' | 'replica';

/** Whose data a sensitive request reads. */
export type SensitiveKind = 'project' | 'prediction' | 'artifact' | 'trace';

/** What one HTTP operation is: the server registers it, the client calls it, the CLI reads its help, OpenAPI prints it. */
export interface OperationShape {
  /** Stable name, `<module>.<verb>`: `datasets.list`. */
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: `/${string}`;
  /** One sentence, shown in OpenAPI and in the command's help. */
  readonly summary: string;
  readonly permission: Permission;
  /**
   * The answer holds what nobody should read unseen: each request is written to the audit log, under the reference of
   * this kind that the first parameter of the path names (`project`: under the project's).
   */
  readonly sensitive?: SensitiveKind;
  readonly params?: TObject;
  readonly query?: TObject;
  readonly body?: TSchema;
  readonly responses: Readonly<Record<number, TSchema>>;
  /** The answer holds a secret that is shown once: it is never kept to be answered again. */
  readonly secretAnswer?: boolean;
  /** Codes of errors that a caller should expect, beyond those every operation has. */
  readonly errors?: readonly string[];
}

export function defineOperation<const O extends OperationShape>(operation: O): O {
  return operation;
}

type StaticOf<S> = S extends TSchema ? Static<S> : undefined;
type Part<O, K extends string> = O extends { readonly [P in K]: infer S extends TSchema } ? Static<S> : undefined;
type Simplify<T> = { [K in keyof T]: T[K] } & {};

/** What a handler receives of the request's parts. */
export interface OperationInput<O extends OperationShape> {
  readonly params: Part<O, 'params'>;
  readonly query: Part<O, 'query'>;
  readonly body: Part<O, 'body'>;
}

declare const answered: unique symbol;
/** What a handler returns; only `answer` makes one. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly [answered]: true;
}
/** Checks a body against the schema declared for its status, extra fields included. */
export type MakeAnswer<O extends OperationShape> = <S extends keyof O['responses'] & number>(
  status: S,
  body: StaticOf<O['responses'][S]>,
) => Answer;

type SuccessStatus = 200 | 201 | 202 | 204;
/** The body of the successful answers. */
export type OperationResult<O extends OperationShape> = StaticOf<O['responses'][keyof O['responses'] & SuccessStatus]>;

type PartArgument<O, K extends string> =
  Part<O, K> extends undefined
    ? unknown
    : Partial<Part<O, K>> extends Part<O, K>
      ? { readonly [P in K]?: Part<O, K> }
      : { readonly [P in K]: Part<O, K> };

/** What a caller passes: only the declared parts; a part whose every field is optional is optional. */
export type OperationArguments<O extends OperationShape> = Simplify<
  PartArgument<O, 'params'> & PartArgument<O, 'query'> & PartArgument<O, 'body'>
>;
