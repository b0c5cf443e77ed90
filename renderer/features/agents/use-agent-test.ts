import { useMutation } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import type { AgentLaunch, AgentTestResult } from '#contract';
import { client } from '../../lib/api.ts';
import { isAbort } from '../../lib/api-error.ts';

export interface AgentTest {
  readonly pending: boolean;
  readonly result: AgentTestResult | undefined;
  readonly error: Error | null;
  run(request: { launch: AgentLaunch; model?: string }): void;
  /** Forgets the result: it counts only for what was tested. A test that is under way is ended, and its process with it. */
  reset(): void;
}

/** Tries an agent without adding it. The test ends with the component that asked for it. */
export function useAgentTest(): AgentTest {
  const abort = useRef<AbortController>(undefined);
  const { mutate, reset, isPending, data, error } = useMutation({
    mutationFn: (request: { launch: AgentLaunch; model?: string }) => {
      abort.current?.abort();
      const controller = new AbortController();
      abort.current = controller;
      return client.agents.test(request, { signal: controller.signal });
    },
  });
  useEffect(() => () => abort.current?.abort(), []);
  return {
    pending: isPending,
    result: data,
    error: error === null || isAbort(error) ? null : error,
    run: mutate,
    reset() {
      abort.current?.abort();
      reset();
    },
  };
}
