import { Button, Card, Code, Group, Skeleton, Stack, Table, Text, Title } from '@mantine/core';
import { IconArrowsSplit2 } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { StorageConflict } from '#contract';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { toastError, toastSuccess } from '../../components/toast.tsx';
import { api } from '../../lib/api.ts';
import { formatCount } from '../../lib/format.ts';
import { compareSides, type FieldPair, nameOfDocument } from './compare-sides.ts';
import classes from './conflicts-page.module.css';

type Side = 'mine' | 'theirs';

/** What was changed here while the storage was away, and elsewhere meanwhile: both versions, and the choice. */
export function ConflictsPage() {
  const list = useQuery(api.storageConflicts.list.queryOptions({ staleTime: 0 }));
  const [later, setLater] = useState<readonly string[]>([]);
  const items = list.data?.items ?? [];
  // What was put off goes to the end of the queue, and does not vanish.
  const inOrder = items.toSorted((a, b) => later.indexOf(a.id) - later.indexOf(b.id));
  return (
    <Stack gap="md">
      <PageHeader
        title="Conflicts"
        description="Documents that were changed here while the storage was away, and elsewhere meanwhile. Nothing is lost until you choose."
      />
      {list.isError && (
        <ErrorCard
          error={list.error}
          what="The conflicts could not be listed"
          onRetry={() => void list.refetch()}
        />
      )}
      {list.isPending && <Skeleton h={160} aria-busy role="status" aria-label="Loading the conflicts" />}
      {list.isSuccess && items.length === 0 && (
        <EmptyState
          icon={<IconArrowsSplit2 />}
          title="No conflicts"
          action={
            <Button component={Link} to="/">
              Go to the Overview
            </Button>
          }
        >
          When two instances change the same thing while the storage is away, both versions wait here.
        </EmptyState>
      )}
      {inOrder.map((conflict) => (
        <ConflictCard
          key={conflict.id}
          conflict={conflict}
          onLater={() => setLater((ids) => [...ids.filter((id) => id !== conflict.id), conflict.id])}
        />
      ))}
    </Stack>
  );
}

function ConflictCard({ conflict, onLater }: { conflict: StorageConflict; onLater: () => void }) {
  const queries = useQueryClient();
  const [all, setAll] = useState(false);
  const name = nameOfDocument(conflict);
  const resolve = useMutation({
    ...api.storageConflicts.resolve.mutationOptions(),
    onSuccess: (_, { keep }) =>
      toastSuccess(`Kept ${keep === 'mine' ? 'your' : 'their'} version of “${name}”`),
    onError: (error) => toastError(error, 'The conflict was not settled'),
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: api.storageConflicts.key() }),
        queries.invalidateQueries({ queryKey: api.status.get.key() }),
      ]),
  });
  const keep = (side: Side) =>
    resolve.mutate({ id: conflict.id, keep: side, theirVersion: conflict.theirs.version });
  const pairs = compareSides(conflict);
  const different = pairs.filter(({ differs }) => differs);
  const same = pairs.length - different.length;
  return (
    <Card component="section" aria-label={`Conflict about ${name}`} withBorder>
      <Stack gap="sm">
        <Group justify="space-between" wrap="nowrap" align="flex-start">
          <div>
            <Title order={2} size="h4">
              {name}
            </Title>
            <Text size="sm" c="dimmed" component="div">
              <Code bg="transparent" px={0}>
                {conflict.collection}/{conflict.documentId}
              </Code>{' '}
              · changed here <RelativeTime at={conflict.journaledAt} />
            </Text>
          </div>
          <Group gap="xs" flex="none">
            <Button variant="default" onClick={onLater} disabled={resolve.isPending}>
              Later
            </Button>
            <Button variant="default" onClick={() => keep('theirs')} loading={resolve.isPending}>
              Keep theirs
            </Button>
            <Button onClick={() => keep('mine')} loading={resolve.isPending}>
              Keep mine
            </Button>
          </Group>
        </Group>
        <Comparison conflict={conflict} pairs={all ? pairs : different} />
        {same > 0 && (
          <Button variant="subtle" size="compact-sm" w="fit-content" onClick={() => setAll(!all)}>
            {all ? 'Show only what differs' : `Show ${formatCount(same, 'equal field')}, too`}
          </Button>
        )}
      </Stack>
    </Card>
  );
}

function Comparison({ conflict, pairs }: { conflict: StorageConflict; pairs: readonly FieldPair[] }) {
  return (
    <Table layout="fixed" className={classes.table ?? ''}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th w="16%">Field</Table.Th>
          <Table.Th>Mine {versionOf(conflict.mine)}</Table.Th>
          <Table.Th>Theirs {versionOf(conflict.theirs)}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {pairs.map(({ field, mine, theirs, differs }) => (
          <Table.Tr key={field} data-differs={differs || undefined}>
            <Table.Th scope="row">{field}</Table.Th>
            <Table.Td>
              <Value text={mine} />
            </Table.Td>
            <Table.Td>
              <Value text={theirs} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Value({ text }: { text: string | undefined }) {
  if (text === undefined) {
    return (
      <Text size="sm" c="dimmed">
        not there
      </Text>
    );
  }
  return <pre className={classes.value}>{text}</pre>;
}

function versionOf({ version }: StorageConflict['mine']): string {
  return version === 0 ? '(deleted)' : `(version ${version})`;
}
