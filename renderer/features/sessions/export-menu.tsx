import { Button, Menu } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import type { SessionDetail } from '#contract';
import { downloadText } from '../../lib/download.ts';
import { exportSession, type SessionExportFormat } from './session-export.ts';

const FORMATS: { format: SessionExportFormat; label: string }[] = [
  { format: 'markdown', label: 'Markdown' },
  { format: 'json', label: 'JSON' },
  { format: 'ndjson', label: 'NDJSON, one message a line' },
];

/** Saves the session as a file. */
export function ExportMenu({ session }: { session: SessionDetail }) {
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default" leftSection={<IconDownload size={15} />}>
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {FORMATS.map(({ format, label }) => (
          <Menu.Item key={format} onClick={() => downloadText(exportSession(session, format))}>
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
