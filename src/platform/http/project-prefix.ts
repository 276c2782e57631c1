import type { IncomingMessage } from 'node:http';
import { defaultProject, namePattern } from '#contracts/references';
import { decodeUrlText } from '../url-text.ts';

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

export function projectOf(request: IncomingMessage): string {
  return (request as WithProject)[projectKey] ?? defaultProject;
}
