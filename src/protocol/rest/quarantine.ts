/**
 * What `/v1` tells of the quarantine of any actor: nothing is done for it, everything of it is
 * readable, a release or a new configuration ends it.
 */
import { z } from 'zod';
import type { View } from '../../runtime/document.ts';
import { iso } from './fields.ts';
import { moment } from './responses.ts';

export const Quarantine = z.object({ reason: z.string(), since: moment() }).nullable().describe('null: it is in none');

export const quarantineOf = ({ quarantine }: Pick<View, 'quarantine'>): { reason: string; since: string } | null =>
  quarantine ? { reason: quarantine.reason, since: iso(quarantine.at) } : null;
