/** The name of the database in a data directory. */
import { join } from 'node:path';

export const fileIn = (directory: string): string => join(directory, 'troupe.sqlite');

/** Contents of uploaded files: see `file-directory.ts`. */
export const fileDirectoryIn = (directory: string): string => join(directory, 'files');
