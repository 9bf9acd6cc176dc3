/** The user of a request, for the event that it becomes. */
import type { User } from '../security/can.ts';

/** Empty where nobody is known. */
export const askedBy = (user: User | undefined): { by?: string } => (user === undefined ? {} : { by: user.name });
