import type { Caller } from '../access.ts';

/** A caller by its metadata, which has the names of REST's headers. */
export interface GrpcCaller extends Caller {
  header(name: string): string | undefined;
}

const projectHeader = 'x-tidemill-project';

/** `<project>/<endpoint>`, or the endpoint alone and its project by metadata; else the project is `default`. */
export function addressOf(name: string, caller: GrpcCaller): { readonly project: string; readonly model: string } {
  const project = caller.header(projectHeader);
  if (project !== undefined) return { project, model: name };
  const slash = name.indexOf('/');
  return slash === -1
    ? { project: 'default', model: name }
    : { project: name.slice(0, slash), model: name.slice(slash + 1) };
}

/** As `addressOf` reads it. */
export const modelNameOf = ({ project, name }: { readonly project: string; readonly name: string }): string =>
  project === 'default' ? name : `${project}/${name}`;
