import type { Metadata } from '@grpc/grpc-js';
import type { Caller } from '../access.ts';

/** What calls of every kind have. */
export interface AnyCall {
  readonly metadata: Metadata;
  readonly cancelled: boolean;
  getHost(): string;
  getDeadline(): Date | number;
  getPeer(): string;
}

/** A caller by its metadata, which has the names of REST's headers. */
export interface GrpcCaller extends Caller {
  header(name: string): string | undefined;
}

export function callerOf(call: AnyCall): GrpcCaller {
  const { metadata } = call;
  const header = (name: string): string | undefined => {
    const value = metadata.get(name)[0];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    headers: { authorization: header('authorization'), host: call.getHost(), origin: header('origin') },
    header,
  };
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
