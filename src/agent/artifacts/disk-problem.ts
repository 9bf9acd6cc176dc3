/** Errors of the disk, told from those of the network and of the archive. */
import { ArtifactError } from '../ports.ts';

const CODES = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EACCES', 'EPERM', 'EMFILE', 'ENFILE', 'EEXIST', 'ENOENT', 'ENOTDIR']);

export const isDiskProblem = (problem: unknown): problem is NodeJS.ErrnoException =>
  problem instanceof Error && 'code' in problem && typeof problem.code === 'string' && CODES.has(problem.code);

/** `what`: `the app`, for the message. */
export const diskProblem = (problem: NodeJS.ErrnoException, what: string): ArtifactError =>
  new ArtifactError('disk', `the disk of this host does not take ${what}: ${problem.message}`, { transient: true, cause: problem });
