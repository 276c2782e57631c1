import type { IncomingMessage } from 'node:http';
import { defaultProject, namePattern } from '#contracts/references';
import { decodeUrlText } from '../url-text.ts';
import { httpErrors } from './http-errors.ts';

const projectKey = Symbol('project');
type WithProject = IncomingMessage & { [projectKey]?: string };

const prefix = /^\/projects\/([^/?#]+)(\/[^?#].*)$/;
const validName = new RegExp(namePattern);

/**
 * A project is a URL prefix: `/projects/<project>/<anything>` is `<anything>` in that project. `/projects/<project>`
 * alone stays what it is (a page); the own API for projects lives under `/api/v1/projects`, so nothing clashes.
 */
export function stripProjectPrefix(request: IncomingMessage): string {
  const url = request.url ?? '/';
  if (!url.startsWith('/projects/')) return url;
  const match = prefix.exec(url);
  const name = match?.[1] === undefined ? undefined : decodeUrlText(match[1]);
  if (name === undefined || match?.[2] === undefined || !validName.test(name)) return url;
  (request as WithProject)[projectKey] = name;
  return match[2];
}

/**
 * The project that a request is for, and whether it names one: by the prefix, by a header in which a foreign protocol names
 * it, or by both when they agree.
 */
export function projectOf(
  request: IncomingMessage,
  header?: string,
): { readonly project: string; readonly named: boolean } {
  const prefixed = (request as WithProject)[projectKey];
  const given = header === undefined ? undefined : request.headers[header];
  const name = typeof given === 'string' ? given.trim() : '';
  if (header === undefined || name === '')
    return { project: prefixed ?? defaultProject, named: prefixed !== undefined };
  if (prefixed !== undefined && prefixed !== name) throw httpErrors.PROJECTS_DIFFER(prefixed, header, name);
  if (!validName.test(name)) throw httpErrors.PROJECT_HEADER_INVALID(header, name);
  return { project: name, named: true };
}
