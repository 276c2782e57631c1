import { type Static, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';
import { pageFields, pageOf } from './page.ts';
import { namePattern } from './references.ts';

export const secretsEvents = defineEvents({
  'secret.put': Type.Object({ secret: Type.String(), replaced: Type.Boolean() }),
  'secret.removed': Type.Object({ secret: Type.String() }),
});

const Secret = Type.Object({
  name: Type.String(),
  grants: Type.Array(Type.String(), { description: 'who may read it' }),
  createdAt: Type.String({ format: 'date-time' }),
  updatedAt: Type.String({ format: 'date-time' }),
});
export type SecretView = Static<typeof Secret>;

const params = Type.Object({ name: Type.String({ pattern: namePattern }) });

export const listSecrets = defineOperation({
  id: 'secrets.list',
  method: 'GET',
  path: '/api/v1/secrets',
  summary: 'List the names of secrets. Values are never shown.',
  permission: 'read',
  query: Type.Object({ ...pageFields }, { additionalProperties: false }),
  responses: { 200: pageOf(Secret) },
});

export const getSecret = defineOperation({
  id: 'secrets.get',
  method: 'GET',
  path: '/api/v1/secrets/:name',
  summary: 'Show who may read a secret and when it was put. The value is never shown.',
  permission: 'read',
  params,
  responses: { 200: Secret, 404: ErrorBody },
  errors: ['SECRET_NOT_FOUND'],
});

export const putSecret = defineOperation({
  id: 'secrets.put',
  method: 'PUT',
  path: '/api/v1/secrets/:name',
  summary: 'Keep a secret, encrypted, under a name; replaces the one that is there.',
  permission: 'write',
  params,
  body: Type.Object(
    {
      value: Type.String({ minLength: 1, maxLength: 65_536 }),
      grants: Type.Optional(
        Type.Array(Type.String({ pattern: '^(\\*|[a-z-]+:(\\*|[A-Za-z0-9][A-Za-z0-9._/+-]*))$' }), {
          maxItems: 100,
          description:
            'references that may read it: pipeline:train, job:*; * (the default) is everything in the project',
        }),
      ),
    },
    { additionalProperties: false },
  ),
  responses: { 200: Secret, 503: ErrorBody },
  errors: ['SECRET_KEY_UNAVAILABLE'],
});

export const removeSecret = defineOperation({
  id: 'secrets.remove',
  method: 'DELETE',
  path: '/api/v1/secrets/:name',
  summary: 'Remove a secret.',
  permission: 'write',
  params,
  responses: { 204: Type.Null(), 404: ErrorBody },
  errors: ['SECRET_NOT_FOUND'],
});
