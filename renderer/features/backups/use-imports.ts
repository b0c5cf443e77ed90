import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useRef, useState } from 'react';
import { toastSuccess } from '../../components/toast.tsx';
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

/** Files that are on their way into the backup folder, and those that were refused. One after the other. */
export function useImports(): { imports: Import[]; add: (files: readonly File[]) => void } {
  const queries = useQueryClient();
  const [imports, setImports] = useState<Import[]>([]);
  const queue = useRef(Promise.resolve());
  const nextId = useRef(0);
  const running = useRef(new Set<AbortController>());

  useEffect(() => {
    const controllers = running.current;
    return () => {
      for (const controller of controllers) controller.abort();
    };
  }, []);

  const add = useCallback(
    (files: readonly File[]) => {
      for (const file of files) {
        const id = nextId.current;
        nextId.current += 1;
        const controller = new AbortController();
        const remove = () => setImports((current) => current.filter((each) => each.id !== id));
        const change = (part: Partial<Import>) =>
          setImports((current) => current.map((each) => (each.id === id ? { ...each, ...part } : each)));
        const dismiss = () => {
          controller.abort();
          remove();
        };
        setImports((current) => [
          ...current,
          { id, fileName: file.name, sizeBytes: file.size, sentBytes: 0, error: undefined, dismiss },
        ]);
        running.current.add(controller);
        queue.current = queue.current.then(async () => {
          try {
            if (controller.signal.aborted) return;
            await importArchive(file, {
              signal: controller.signal,
              onProgress: ({ sentBytes }) => change({ sentBytes }),
            });
            remove();
            toastSuccess(`Imported ${file.name}`);
            await queries.invalidateQueries({ queryKey: api.backups.list.key() });
          } catch (error) {
            if (!isAbort(error)) change({ error });
          } finally {
            running.current.delete(controller);
          }
        });
      }
    },
    [queries],
  );
  return { imports, add };
}
