import {
  ActionIcon,
  Button,
  Group,
  Menu,
  Skeleton,
  Stack,
  Tabs,
  Text,
  Tooltip,
  VisuallyHidden,
} from '@mantine/core';
import {
  IconArchive,
  IconArchiveOff,
  IconDots,
  IconPencil,
  IconPlayerStop,
  IconTrash,
} from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import type { Agent, AttachmentInput, SessionDetail } from '#contract';
import { ShortId } from '../../components/copy.tsx';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorCard } from '../../components/error-card.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { RelativeTime } from '../../components/relative-time.tsx';
import { StatusBadge } from '../../components/status-badge.tsx';
import { toastError } from '../../components/toast.tsx';
import { api } from '../../lib/api.ts';
import { formatBytes, formatCost, formatNumber } from '../../lib/format.ts';
import { setLivePaused } from '../../lib/live-pause.ts';
import { choiceOf, type RawSearch, useUrlState } from '../../lib/url-state.ts';
import { AgentOptions, ContextWindow } from './agent-options.tsx';
import { Composer, type ComposerHandle } from './composer.tsx';
import { ExportMenu } from './export-menu.tsx';
import { readKeptAttachments } from './new-attachments.ts';
import { RawView } from './raw-view.tsx';
import { RenameDialog } from './rename-dialog.tsx';
import classes from './session-page.module.css';
import { TranscriptView } from './transcript-view.tsx';
import { isResendable, promptOf, type TurnBlock } from './turn-blocks.ts';
import { useSession } from './use-session.ts';
import { useSessionActions } from './use-session-actions.tsx';
import { WaitingItems } from './waiting-items.tsx';

const PARENTS = [{ label: 'Sessions', to: '/sessions' }];

/** A conversation: its transcript as it comes, and where the next message is written. */
export function SessionPage() {
  const { id } = useParams({ from: '/sessions/$id' });
  const session = useSession(id);
  const agents = useQuery(api.agents.list.queryOptions());

  if (session.data === undefined) {
    return (
      <Stack className={classes.page}>
        <PageHeader title="Session" parents={PARENTS} />
        {session.isError ? (
          <ErrorCard
            error={session.error}
            what="The session could not be loaded"
            onRetry={() => void session.refetch()}
            actions={
              <Button component={Link} to="/sessions" variant="default">
                All sessions
              </Button>
            }
          />
        ) : (
          <Stack aria-busy role="status" aria-label="Loading the session">
            <Skeleton h={60} />
            <Skeleton h={140} />
          </Stack>
        )}
      </Stack>
    );
  }
  return (
    <Conversation
      key={id}
      session={session.data}
      agent={agents.data?.items.find((agent) => agent.id === session.data.agentId)}
      agentsLoaded={agents.isSuccess}
      staleError={session.isError ? session.error : undefined}
    />
  );
}

function parseUrl(search: RawSearch): { tab: 'transcript' | 'raw' } {
  return { tab: choiceOf(search, 'tab', ['transcript', 'raw']) ?? 'transcript' };
}

function Conversation({
  session,
  agent,
  agentsLoaded,
  staleError,
}: {
  session: SessionDetail;
  agent: Agent | undefined;
  agentsLoaded: boolean;
  /** The newest reading failed; what is shown is from before. */
  staleError: unknown;
}) {
  const [{ tab }, changeUrl] = useUrlState(parseUrl);
  const composer = useRef<ComposerHandle>(null);
  const prompt = useMutation(api.sessions.prompt.mutationOptions());
  const resend = useMutation(api.sessions.resend.mutationOptions());
  const actions = useSessionActions();
  const [cancelling, setCancelling] = useState(false);

  const busy = session.status === 'busy' || session.turns.some((turn) => turn.state === 'running');
  const agentName = agent?.name ?? session.agentId;
  const archived = session.state === 'archived';

  const send = async (message: string, attachments: AttachmentInput[] = []) => {
    // Who talks wants to see the answer.
    setLivePaused(false);
    await prompt.mutateAsync({
      id: session.id,
      message,
      ...(attachments.length === 0 ? {} : { attachments }),
    });
  };

  const cancel = async () => {
    setCancelling(true);
    await actions.cancel(session);
    setCancelling(false);
  };

  const sendAgain = (block: TurnBlock) => {
    setLivePaused(false);
    const text = promptOf(block);
    const sent = isResendable(block.turn)
      ? resend.mutateAsync({ id: session.id, turnId: block.id })
      : readKeptAttachments(session.id, block.prompts).then((attachments) => send(text, attachments));
    void sent.catch((error: unknown) => {
      toastError(error, 'The message was not sent again');
      composer.current?.fill(text);
    });
  };

  return (
    <Stack
      className={classes.page}
      gap="sm"
      // Anywhere on the page: a file that misses its target would be opened by the browser in place of the console.
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        composer.current?.attach([...event.dataTransfer.files]);
      }}
    >
      <Header session={session} agent={agent} busy={busy} onCancel={() => void cancel()} />
      {staleError !== undefined && (
        <ErrorCard error={staleError} what="The session could not be read again; this is how it was before" />
      )}
      <Tabs
        className={classes.tabs}
        value={tab}
        onChange={(value) => changeUrl({ tab: value === 'raw' ? 'raw' : 'transcript' })}
        keepMounted={false}
      >
        <Group className={classes.tabline} justify="space-between" wrap="nowrap" gap="md">
          <Tabs.List>
            <Tabs.Tab value="transcript">Transcript</Tabs.Tab>
            <Tabs.Tab value="raw">Raw</Tabs.Tab>
          </Tabs.List>
          <Group gap="md" className={classes.figures}>
            <Tooltip label="Tokens that all turns used, as the agent told">
              <Text size="xs" c="dimmed">
                {formatNumber(session.usage.inputTokens)} tokens in ·{' '}
                {formatNumber(session.usage.outputTokens)} out
              </Text>
            </Tooltip>
            {session.usage.cost !== undefined && (
              <Tooltip label="What all turns cost">
                <Text size="xs" c="dimmed">
                  {session.usage.cost.estimated ? '≈ ' : ''}
                  {formatCost(session.usage.cost)}
                </Text>
              </Tooltip>
            )}
            <ContextWindow session={session} />
            <Text size="xs" c="dimmed">
              {formatBytes(session.sizeBytes)}
            </Text>
          </Group>
        </Group>
        <Tabs.Panel value="transcript" className={classes.panel}>
          {session.messages.length === 0 && session.turns.length === 0 ? (
            <div className={classes.empty}>
              <EmptyState icon={<IconPencil />} title="Nothing was said yet">
                Write the first message below; the answer streams in here.
              </EmptyState>
            </div>
          ) : (
            <TranscriptView
              session={session}
              agentName={agentName}
              onSendAgain={busy || archived || prompt.isPending || resend.isPending ? undefined : sendAgain}
            />
          )}
          <WaitingItems
            sessionId={session.id}
            agentName={agentName}
            count={session.waitingForYou}
            onAnswered={() => composer.current?.focus()}
          />
          <AgentOptions session={session} disabled={archived} />
          <Composer
            ref={composer}
            sessionId={session.id}
            agentName={agentName}
            busy={busy}
            waitsForYou={session.waitingForYou > 0}
            closed={archived ? 'This session is archived. Take it out of the archive to go on.' : undefined}
            notice={noticeOf(agent, agentsLoaded)}
            slashCommands={agent?.launch.kind === 'builtin' && agent.launch.program === 'echo'}
            commands={session.agent?.commands ?? []}
            onSend={send}
            onCancel={() => void cancel()}
            cancelling={cancelling}
          />
        </Tabs.Panel>
        <Tabs.Panel value="raw" className={classes.panel}>
          <RawView session={session} />
        </Tabs.Panel>
      </Tabs>
      <Announcer busy={busy} agentName={agentName} />
    </Stack>
  );
}

/** What should be known of the agent before something is sent to it. */
function noticeOf(agent: Agent | undefined, agentsLoaded: boolean): string | undefined {
  if (agent === undefined) return agentsLoaded ? 'The agent of this session was removed.' : undefined;
  switch (agent.state) {
    case 'stopped':
    case 'crashed':
    case 'crash-loop':
    case 'unresponsive':
    case 'restarting':
      return `${agent.name} cannot answer now: ${agent.reason}`;
    default:
      return undefined;
  }
}

function Header({
  session,
  agent,
  busy,
  onCancel,
}: {
  session: SessionDetail;
  agent: Agent | undefined;
  busy: boolean;
  onCancel: () => void;
}) {
  const navigate = useNavigate();
  const actions = useSessionActions();
  const [renaming, setRenaming] = useState(false);
  const archived = session.state === 'archived';
  return (
    <>
      <PageHeader
        title={session.title}
        parents={PARENTS}
        beside={
          <Group gap="sm" wrap="nowrap">
            <Tooltip label="Rename">
              <ActionIcon
                size="sm"
                color="gray"
                aria-label="Rename session"
                onClick={() => setRenaming(true)}
              >
                <IconPencil size={15} />
              </ActionIcon>
            </Tooltip>
            <StatusBadge status={session.status} />
            {session.state !== 'active' && (
              <Text size="xs" c="dimmed">
                {session.state}
              </Text>
            )}
          </Group>
        }
        description={
          <Group gap="xs">
            <Text size="sm" component="span">
              with{' '}
              {agent === undefined ? (
                session.agentId
              ) : (
                <Link to="/agents/$id" params={{ id: agent.id }} className={classes.link ?? ''}>
                  {agent.name}
                </Link>
              )}
            </Text>
            {agent !== undefined && <StatusBadge status={agent.state} reason={agent.reason} size="xs" />}
            <span aria-hidden>·</span>
            <RelativeTime at={session.lastActivityAt} c="dimmed" />
            <span aria-hidden>·</span>
            <ShortId id={session.id} label="Copy session id" />
          </Group>
        }
        actions={
          <>
            <ExportMenu session={session} />
            <Button
              variant="default"
              leftSection={archived ? <IconArchiveOff size={15} /> : <IconArchive size={15} />}
              onClick={() => void actions.setArchived(session, !archived)}
            >
              {archived ? 'Unarchive' : 'Archive'}
            </Button>
            <Menu position="bottom-end">
              <Menu.Target>
                <ActionIcon variant="default" size={30} aria-label="More actions">
                  <IconDots size={16} />
                </ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item leftSection={<IconPencil size={15} />} onClick={() => setRenaming(true)}>
                  Rename…
                </Menu.Item>
                <Menu.Item leftSection={<IconPlayerStop size={15} />} disabled={!busy} onClick={onCancel}>
                  Cancel turn
                </Menu.Item>
                <Menu.Divider />
                <Menu.Item
                  c="var(--tone-bad)"
                  leftSection={<IconTrash size={15} />}
                  onClick={() =>
                    void actions.remove(session).then((removed) => {
                      if (removed) void navigate({ to: '/sessions' });
                    })
                  }
                >
                  Delete session…
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          </>
        }
      />
      {renaming && <RenameDialog session={session} onClose={() => setRenaming(false)} />}
    </>
  );
}

/** Tells a screen reader when an answer begins and ends, without reading out each word as it streams in. */
function Announcer({ busy, agentName }: { busy: boolean; agentName: string }) {
  const [text, setText] = useState('');
  const before = useRef(busy);
  useEffect(() => {
    if (before.current !== busy) setText(busy ? `${agentName} is answering` : `${agentName} has finished`);
    before.current = busy;
  }, [busy, agentName]);
  return <VisuallyHidden role="status">{text}</VisuallyHidden>;
}
