/** The name of the database in a data directory. */
import { join } from 'node:path';

export const fileIn = (directory: string): string => join(directory, 'troupe.sqlite');
