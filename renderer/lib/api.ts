import { createORPCClient } from '@orpc/client';
import type { ContractRouterClient } from '@orpc/contract';
import type { JsonifiedClient } from '@orpc/openapi-client';
import { OpenAPILink } from '@orpc/openapi-client/fetch';
import { createTanstackQueryUtils } from '@orpc/tanstack-query';
import { contract } from '#contract';
import { errorOfResponse, isAbort, unreachable } from './api-error.ts';

type ApiClient = JsonifiedClient<ContractRouterClient<typeof contract>>;

/**
 * `fetch` that rejects with an `ApiError` for every failure: no answer, or one that is not 2xx. A request that was
 * aborted by its signal still rejects with the `AbortError`.
 */
async function fetchOrThrow(request: Request, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(request, init);
  } catch (error) {
    throw isAbort(error) ? error : unreachable(error);
  }
  if (!response.ok) throw await errorOfResponse(response);
  return response;
}

const link = new OpenAPILink(contract, {
  // The same origin serves console and API in every mode, so that nothing else has to be configured.
  url: () => new URL('/api', location.href).href,
  fetch: fetchOrThrow,
});

/** The typed client of `/api`: `await client.sessions.get({ id })`. */
export const client: ApiClient = createORPCClient(link);

/** The same as options for TanStack Query: `useQuery(api.sessions.get.queryOptions({ input: { id } }))`. */
export const api = createTanstackQueryUtils(client);
