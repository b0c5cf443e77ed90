import type { Setting } from '#contract';

export interface SettingGroup {
  readonly name: string;
  readonly settings: readonly Setting[];
}

/** The settings that match `search` (name, description, value; never the value of a secret), in the groups of the runtime. */
export function groupSettings(settings: readonly Setting[], search: string): SettingGroup[] {
  const wanted = search.trim().toLowerCase();
  const matching = settings.filter(
    (setting) =>
      wanted === '' ||
      [setting.name, setting.description, setting.group, setting.secret ? '' : setting.value].some((text) =>
        text.toLowerCase().includes(wanted),
      ),
  );
  const groups = new Map<string, Setting[]>();
  for (const setting of matching) groups.set(setting.group, [...(groups.get(setting.group) ?? []), setting]);
  return [...groups].map(([name, members]) => ({ name, settings: members }));
}
