/**
 * What every store keeps, whatever it is made of. Run it for each implementation:
 * `storeContract('memory', async () => ({ store: createMemoryStore(), cleanup: async () => {} }))`.
 */
import { afterEach, beforeEach, describe } from 'bun:test';
import type { Store } from '../../src/store/port.ts';
import { actorsContract } from './store-contract/actors.ts';
import { commitContract } from './store-contract/commit.ts';
import { credentialsContract } from './store-contract/credentials.ts';
import { damagedContract } from './store-contract/damaged.ts';
import { factsContract } from './store-contract/facts.ts';
import { filesContract } from './store-contract/files.ts';
import { ledgerContract } from './store-contract/ledger.ts';
import { listContract } from './store-contract/list.ts';
import { outputContract } from './store-contract/output.ts';
import { postedLogsContract } from './store-contract/posted-logs.ts';
import { retentionContract } from './store-contract/retention.ts';

export interface OpenedStore {
  store: Store;
  /**
   * Closes the store and opens what it left behind. Without it the closed store itself is used on,
   * as with the memory store.
   */
  reopen?(): Promise<Store>;
  cleanup(): Promise<void>;
  /**
   * Puts the value into a column of the row that `DAMAGED_TABLES` names, behind the store's back;
   * gives back what undoes it. Absent: it has no rows.
   */
  damage?(table: string, column: string, value: unknown): Promise<() => Promise<void>>;
}

/**
 * What the parts of the contract see: the store of the running test, also after it was reopened.
 */
export interface StoreUnderTest {
  readonly store: Store;
  reopen(): Promise<void>;
  readonly damage: OpenedStore['damage'];
}

export function storeContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`the ${name} store`, () => {
    let opened: OpenedStore;
    beforeEach(async () => {
      opened = await open();
    });
    afterEach(() => opened.cleanup());

    const underTest: StoreUnderTest = {
      get damage() {
        return opened.damage;
      },
      get store() {
        return opened.store;
      },
      async reopen() {
        if (opened.reopen) opened.store = await opened.reopen();
        else await opened.store.close();
      },
    };
    commitContract(underTest);
    actorsContract(underTest);
    listContract(underTest);
    factsContract(underTest);
    ledgerContract(underTest);
    filesContract(underTest);
    outputContract(underTest);
    postedLogsContract(underTest);
    retentionContract(underTest);
    credentialsContract(underTest);
    damagedContract(underTest);
  });
}
