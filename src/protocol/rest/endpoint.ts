/** Declaration of an operation of an API: everything about a route but its handler. */
import type { z } from 'zod';
import type { Scope } from './scope.ts';
import type { Tag } from './tags.ts';

/**
 * `public`: anybody. `user`: a valid token (or authentication off). `agent`: the handler asks for
 * the agent's proof itself.
 */
export const ACCESS = ['public', 'user', 'agent'] as const;
type Access = (typeof ACCESS)[number];

/**
 * `login`: closed to tokens of programs of every scope. `file`: as `read`, and open to agents with
 * the token of their session.
 */
export type Needed = Scope | 'login' | 'file';

/** A schema that is created for the reference: no request needs it. */
type Later = () => z.ZodType;
/** JSON by a schema, no body (null), or texts by their type; of a stream one piece. */
type Answers = Later | null | Readonly<Record<string, Later>>;

export interface BodyLimits {
  /** Of the whole body, bytes. */
  bytes: number;
  /** A text of more bytes loses its middle while the body arrives. Default: none does. */
  textBytes?: number;
}

export interface Endpoint {
  /** The resource, as the reference groups its operations. */
  tag: Tag;
  access: Access;
  /** The scope that a token of a program needs. Default: `read` for GET, `all` for the rest. */
  scope?: Needed;
  /** One sentence for the reference. */
  summary: string;
  query?: z.ZodType;
  /** JSON by this schema. */
  body?: z.ZodType;
  /** Limits of the body. Default: 1 MB. */
  bodyLimits?: BodyLimits;
  /** The body is bytes of any kind, which the handler streams; what the reference says of them. */
  takesBytes?: string;
  /** The body is a patch (RFC 7396) of a body of this schema. */
  patches?: z.ZodType;
  /** The body in the reference, where `body` leaves a part of it to the handler. */
  documentedBody?: z.ZodType;
  /** The body is a name, bare or quoted (ElasticJob). */
  bodyIsName?: true;
  /** It starts or creates something, and accepts Idempotency-Key. */
  takesKey?: true;
  /** The body of a success. */
  answers: Answers;
  /** The status of a success. Default: 200. 204 sends no body. */
  status?: 200 | 201 | 202 | 204;
  /** Further statuses of a success, each with its body. */
  also?: Readonly<Partial<Record<200 | 202 | 206, Later>>>;
  /** Statuses of refusals beyond those that follow from the rest of the declaration. */
  refusals?: readonly number[];
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** `POST /v1/jobs/:name/trigger`; a part with a colon is a parameter. */
export type Operation = `${Method} /${string}`;

/** Declares operations; keeps the literal types of each. */
export const endpoints = <const E extends Readonly<Record<Operation, Endpoint>>>(declared: E): E => declared;

/** The parameters in a path. */
export type ParamsOf<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Record<Name, string> & ParamsOf<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Record<Name, string>
    : unknown;
