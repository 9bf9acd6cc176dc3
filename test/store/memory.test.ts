/** The store contract on the store in memory. */
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { storeContract } from '../support/store-contract.ts';

storeContract('memory', async () => ({ store: createMemoryStore(), cleanup: async () => {} }));
