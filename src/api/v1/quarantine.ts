/** The quarantine of an actor in responses. */
import type { View } from '../../runtime/document.ts';
import { toIso } from '../iso.ts';

export const quarantineOf = ({ quarantine }: Pick<View, 'quarantine'>): { reason: string; since: string } | null =>
  quarantine ? { reason: quarantine.reason, since: toIso(quarantine.at) } : null;
