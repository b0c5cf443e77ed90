import { QueryClient } from '@tanstack/react-query';
import { isTransient } from './api-error.ts';

/** Makes the cache of what the runtime said. Events keep it fresh (`live-queries.ts`), so nothing is polled by default. */
export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // The runtime is on this machine: it is there also when the network is not.
        networkMode: 'always',
        staleTime: 30_000,
        retry: (failures, error) => failures < 2 && isTransient(error),
        retryDelay: (failures) => Math.min(250 * 2 ** failures, 2_000),
      },
      mutations: { networkMode: 'always', retry: false },
    },
  });
}
