/** The quarantine of an actor as answers show it. */
import type { View } from '../../runtime/document.ts';
import { iso } from '../iso.ts';

export const quarantineOf = ({ quarantine }: Pick<View, 'quarantine'>): { reason: string; since: string } | null =>
  quarantine ? { reason: quarantine.reason, since: iso(quarantine.at) } : null;
