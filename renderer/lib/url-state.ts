import { useNavigate, useRouterState } from '@tanstack/react-router';
import { useCallback, useMemo } from 'react';

/** What stands behind the `?` of the address, before a page has made sense of it. */
export type RawSearch = Readonly<Record<string, unknown>>;

/**
 * The state of a page that lives in its address, so that Back, a reload and a shared link show the same thing.
 * `parse` makes the page's state out of whatever is there (a stable function; anybody can type anything into an
 * address). `change` writes a part of it; `undefined` removes. `replace: true` for what is typed, so that Back does
 * not go through each letter.
 */
export function useUrlState<T extends object>(
  parse: (search: RawSearch) => T,
): [state: T, change: (part: Partial<T>, options?: { replace?: boolean }) => void] {
  const search = useRouterState({ select: (router) => router.location.search as RawSearch });
  const navigate = useNavigate();
  const state = useMemo(() => parse(search), [parse, search]);
  const change = useCallback(
    (part: Partial<T>, options?: { replace?: boolean }) => {
      void navigate({
        to: '.',
        search: (current: RawSearch) => ({ ...current, ...part }),
        replace: options?.replace ?? false,
      } as Parameters<typeof navigate>[0]);
    },
    [navigate],
  );
  return [state, change];
}

/** A parameter as text; undefined where it is missing or empty. Numbers come back as they were typed. */
export function textOf(search: RawSearch, name: string): string | undefined {
  const value = search[name];
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A parameter that must be one of `choices`; undefined where it is not. */
export function choiceOf<T extends string>(
  search: RawSearch,
  name: string,
  choices: readonly T[],
): T | undefined {
  const value = textOf(search, name);
  return choices.find((choice) => choice === value);
}
