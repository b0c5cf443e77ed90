import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useSyncExternalStore } from 'react';
import { toastError, toastSuccess } from '../../components/toast.tsx';
import { api } from '../../lib/api.ts';
import { isAbort } from '../../lib/api-error.ts';
import { importArchive } from './import-archive.ts';

export interface Import {
  id: number;
  fileName: string;
  sizeBytes: number;
  sentBytes: number;
  /** Why it failed; undefined while it runs. */
  error: unknown;
  /** Stops it, or takes a failed one off the page. */
  dismiss: () => void;
}

/** The imports of this window. They outlive the page: who goes to another one meanwhile finds them where they are. */
let imports: Import[] = [];
const listeners = new Set<() => void>();
/** One file is sent after the other. */
let queue = Promise.resolve();
let nextId = 0;

function show(next: Import[]): void {
  imports = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Sends a file when those before it are through; `onImported` is told when it lies in the backup folder. */
function addImport(file: File, onImported: () => Promise<void>): void {
  const id = nextId;
  nextId += 1;
  const controller = new AbortController();
  const remove = () => show(imports.filter((each) => each.id !== id));
  const change = (part: Partial<Import>) =>
    show(imports.map((each) => (each.id === id ? { ...each, ...part } : each)));
  const dismiss = () => {
    controller.abort();
    remove();
  };
  show([
    ...imports,
    { id, fileName: file.name, sizeBytes: file.size, sentBytes: 0, error: undefined, dismiss },
  ]);
  queue = queue.then(async () => {
    if (controller.signal.aborted) return;
    try {
      await importArchive(file, {
        signal: controller.signal,
        onProgress: ({ sentBytes }) => change({ sentBytes }),
      });
      remove();
      toastSuccess(`Imported ${file.name}`);
      await onImported();
    } catch (error) {
      if (isAbort(error)) return;
      change({ error });
      // Nobody is on the page, where it stands too.
      if (listeners.size === 0) toastError(error, `“${file.name}” was not imported`);
    }
  });
}

/** Files that are on their way into the backup folder, and those that were refused. */
export function useImports(): { imports: readonly Import[]; add: (files: readonly File[]) => void } {
  const queries = useQueryClient();
  const add = useCallback(
    (files: readonly File[]) => {
      const refresh = () => queries.invalidateQueries({ queryKey: api.backups.list.key() });
      for (const file of files) addImport(file, refresh);
    },
    [queries],
  );
  return { imports: useSyncExternalStore(subscribe, () => imports), add };
}
