import { MantineProvider } from '@mantine/core';
import { ModalsProvider } from '@mantine/modals';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { startLiveEvents } from '../lib/live-events.ts';
import { connectLiveQueries } from '../lib/live-queries.ts';
import { createQueryClient } from '../lib/query-client.ts';
import { router } from './router.tsx';
import { cssVariables, theme } from './theme.ts';

const queries = createQueryClient();
connectLiveQueries(queries);
startLiveEvents();

/** The providers around the pages. Module-level parts live as long as the window. */
export function App() {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <ModalsProvider>
          <RouterProvider router={router} />
          <Notifications position="bottom-right" limit={4} />
        </ModalsProvider>
      </QueryClientProvider>
    </MantineProvider>
  );
}
