import { Button, Group, Pill, Switch, TagsInput, Text, Tooltip } from '@mantine/core';
import { IconPlayerPauseFilled, IconPlayerPlayFilled } from '@tabler/icons-react';
import { useRef, useState } from 'react';
import { SearchField } from '../../components/search-field.tsx';
import { formatNumber, shortId } from '../../lib/format.ts';
import { type EventFilter, MAX_TOPICS, topicProblem } from './event-filter.ts';
import { SUGGESTED_TOPICS } from './known-topics.ts';

/** What the page shows: topics, text, one subject, one correlation. */
export function EventFilters({
  filter,
  onChange,
}: {
  filter: EventFilter;
  onChange: (part: Partial<EventFilter>, options?: { replace?: boolean }) => void;
}) {
  return (
    <Group gap="xs" align="start" flex={1}>
      <TopicFilter topics={filter.topics} onChange={(topics) => onChange({ topics })} />
      <SearchField
        label="Search events"
        placeholder="Search anywhere in the event"
        applied={filter.search}
        onSearch={(search) => onChange({ search }, { replace: true })}
      />
      {filter.subject !== '' && (
        <FilterPill name="Subject" value={filter.subject} onRemove={() => onChange({ subject: '' })} />
      )}
      {filter.correlationId !== '' && (
        <FilterPill
          name="Correlation"
          value={filter.correlationId}
          onRemove={() => onChange({ correlationId: '' })}
        />
      )}
      <Tooltip label="Heartbeats, streamed text and progress: told live, not kept in the log">
        <Switch
          size="xs"
          label="Live-only events"
          checked={filter.liveOnly}
          onChange={(event) => onChange({ liveOnly: event.currentTarget.checked })}
          styles={{ root: { alignSelf: 'center' } }}
        />
      </Tooltip>
    </Group>
  );
}

function TopicFilter({
  topics,
  onChange,
}: {
  topics: readonly string[];
  onChange: (topics: readonly string[]) => void;
}) {
  const [typed, setTyped] = useState('');
  const [problem, setProblem] = useState<string>();
  const refused = useRef(false);
  return (
    <TagsInput
      aria-label="Topics"
      placeholder={topics.length === 0 ? 'All topics; * and > stand for any' : ''}
      size="xs"
      w={300}
      data={SUGGESTED_TOPICS}
      value={[...topics]}
      searchValue={typed}
      onSearchChange={(next) => {
        // What was refused stays, to be corrected; the field itself empties it.
        if (refused.current) return;
        setProblem(undefined);
        setTyped(next);
      }}
      onChange={(next) => {
        const wrong = next.find((pattern) => topicProblem(pattern) !== undefined);
        setProblem(wrong === undefined ? undefined : topicProblem(wrong));
        if (wrong === undefined) {
          setTyped('');
          onChange(next);
          return;
        }
        setTyped(wrong);
        refused.current = true;
        queueMicrotask(() => {
          refused.current = false;
        });
      }}
      {...(problem !== undefined && {
        dropdownOpened: false,
        withErrorStyles: false,
        error: (
          <Text span size="xs" c="var(--tone-bad)">
            {problem}
          </Text>
        ),
      })}
      maxTags={MAX_TOPICS}
      clearable
      clearButtonProps={{ 'aria-label': 'Clear topics' }}
      comboboxProps={{ withinPortal: true }}
      maxDropdownHeight={260}
    />
  );
}

function FilterPill({ name, value, onRemove }: { name: string; value: string; onRemove: () => void }) {
  return (
    <Tooltip label={value}>
      <Pill
        size="sm"
        withRemoveButton
        style={{ alignSelf: 'center' }}
        onRemove={onRemove}
        removeButtonProps={{ 'aria-label': `Clear ${name.toLowerCase()}`, 'aria-hidden': false, tabIndex: 0 }}
      >
        {name}: {shortId(value)}
      </Pill>
    </Tooltip>
  );
}

/** Follows the newest, or stands still and says what waits. */
export function FollowButton({
  paused,
  waiting,
  onToggle,
}: {
  paused: boolean;
  waiting: number;
  onToggle: () => void;
}) {
  return (
    <Tooltip label={paused ? 'Show the newest and follow (Space)' : 'Stand still (Space)'}>
      {paused ? (
        <Button
          variant="default"
          c="var(--tone-warning)"
          leftSection={<IconPlayerPlayFilled size={13} />}
          onClick={onToggle}
        >
          Paused · {formatNumber(waiting)} new
        </Button>
      ) : (
        <Button variant="default" leftSection={<IconPlayerPauseFilled size={13} />} onClick={onToggle}>
          Following
        </Button>
      )}
    </Tooltip>
  );
}
