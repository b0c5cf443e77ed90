import { ActionIcon, Button, Group, Menu, Table, Text, Tooltip, VisuallyHidden } from '@mantine/core';
import { IconDots, IconDownload, IconRestore, IconTrash } from '@tabler/icons-react';
import { archivePath, type Backup } from '#contract';
import { StatusBadge } from '../../components/status-badge.tsx';
import { formatBytes, formatHourAndMinute, formatIso, formatNumber } from '../../lib/format.ts';
import classes from './backup-table.module.css';
import { TRIGGERS } from './backup-words.ts';

/** The archives of one day. */
export function BackupTable({
  label,
  backups,
  busy,
  onRestore,
  onDelete,
}: {
  label: string;
  backups: readonly Backup[];
  /** A job is in the way of restoring and deleting. */
  busy: boolean;
  onRestore: (backup: Backup) => void;
  onDelete: (backup: Backup) => void;
}) {
  return (
    <Table className={classes.table ?? ''} aria-label={`Backups of ${label}`} highlightOnHover>
      <Table.Thead>
        <Table.Tr>
          <Table.Th data-column="time">Time</Table.Th>
          <Table.Th data-column="trigger">Made</Table.Th>
          <Table.Th data-column="state">State</Table.Th>
          <Table.Th data-column="size">Size</Table.Th>
          <Table.Th data-column="sessions">Sessions</Table.Th>
          <Table.Th data-column="records">Records</Table.Th>
          <Table.Th data-column="adapter">Storage</Table.Th>
          <Table.Th data-column="actions">
            <VisuallyHidden>Actions</VisuallyHidden>
          </Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {backups.map((backup) => (
          <Table.Tr key={backup.id} data-backup={backup.id}>
            <Table.Td data-column="time">
              <Tooltip label={formatIso(backup.createdAt)}>
                <time dateTime={formatIso(backup.createdAt)}>{formatHourAndMinute(backup.createdAt)}</time>
              </Tooltip>
            </Table.Td>
            <Table.Td data-column="trigger">{TRIGGERS[backup.trigger]}</Table.Td>
            <Table.Td data-column="state">
              <BackupState backup={backup} />
            </Table.Td>
            <Table.Td data-column="size">{formatBytes(backup.sizeBytes)}</Table.Td>
            <Table.Td data-column="sessions">{formatNumber(backup.sessions)}</Table.Td>
            <Table.Td data-column="records">{formatNumber(backup.records)}</Table.Td>
            <Table.Td data-column="adapter">{backup.adapter}</Table.Td>
            <Table.Td data-column="actions">
              <Group gap={6} justify="end" wrap="nowrap">
                <Button
                  size="compact-xs"
                  variant="default"
                  leftSection={<IconRestore size={14} />}
                  disabled={busy}
                  onClick={() => onRestore(backup)}
                >
                  Restore…
                </Button>
                <Tooltip label="Download">
                  <ActionIcon
                    component="a"
                    href={archivePath(backup.id)}
                    download={backup.fileName}
                    color="gray"
                    aria-label={`Download ${backup.fileName}`}
                  >
                    <IconDownload size={16} />
                  </ActionIcon>
                </Tooltip>
                <Menu position="bottom-end">
                  <Menu.Target>
                    <ActionIcon color="gray" aria-label={`Actions for ${backup.fileName}`}>
                      <IconDots size={16} />
                    </ActionIcon>
                  </Menu.Target>
                  <Menu.Dropdown>
                    <Menu.Label>{backup.fileName}</Menu.Label>
                    <Menu.Item
                      c="var(--tone-bad)"
                      leftSection={<IconTrash size={15} />}
                      disabled={busy}
                      onClick={() => onDelete(backup)}
                    >
                      Delete backup…
                    </Menu.Item>
                  </Menu.Dropdown>
                </Menu>
              </Group>
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

/** Checked, or what is wrong with it. */
export function BackupState({ backup }: { backup: Backup }) {
  if (backup.state === 'checked') {
    return (
      <StatusBadge
        status="completed"
        label="Checked"
        reason="It was read back after it was written, and every checksum matched."
      />
    );
  }
  return (
    <div>
      <StatusBadge status="failed" label="Damaged" reason={backup.problem} />
      {backup.problem !== undefined && (
        <Text size="xs" c="dimmed" className={classes.problem ?? ''}>
          {backup.problem}
        </Text>
      )}
    </div>
  );
}
