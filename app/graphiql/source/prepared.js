// How the prepared tabs of the server meet what the browser kept of an earlier visit. No I/O: tested with node alone.

export const TAB_STATE_KEY = "graphiql:tabState";

/** Keys of what one window is doing; everything else (theme, layout, history) is shared by all windows. */
const WINDOW_KEYS = new Set(
  ["tabState", "query", "variables", "headers", "lastPreparedTabs"].map((name) => `graphiql:${name}`),
);

const indented = (value) => JSON.stringify(value, null, 2);

/** A prepared tab as GraphiQL's editors show it: texts. */
export function asEditorTexts({ title, query, variables, headers }) {
  return {
    title,
    query,
    variables: Object.keys(variables).length ? indented(variables) : "",
    headers: indented(headers),
  };
}

const fresh = (tab) => ({
  ...tab,
  id: `prepared-${tab.title}`,
  prepared: tab.title,
  operationName: null,
  response: null,
});

const byTitle = (tabs, title) => tabs.find((tab) => tab.title === title);

/** A tab with what the user left as it was (`before`) renewed (`now`), and what the user wrote kept. */
function renewed(tab, before, now) {
  const result = { ...tab };
  for (const field of ["query", "variables", "headers"]) {
    if (before && (tab[field] ?? "") === before[field]) result[field] = now[field];
  }
  if (result.query !== tab.query) result.operationName = null;
  return result;
}

/**
 * GraphiQL's tabs: those kept, where untouched parts follow the server (new example ids, new idempotency keys), and
 * those that the server prepares for the first time. A prepared tab that the user closed stays closed.
 *
 * stored: GraphiQL's own state of the last visit, or null; last: the editor texts prepared at the last visit; tabs:
 * those of now.
 */
export function followServer({ stored, last, tabs }) {
  if (!Array.isArray(stored?.tabs) || stored.tabs.length === 0) return { activeTabIndex: 0, tabs: tabs.map(fresh) };
  const kept = stored.tabs.map((tab) => {
    const now = tab.prepared && byTitle(tabs, tab.prepared);
    return now ? renewed(tab, byTitle(last, tab.prepared), now) : tab;
  });
  const added = tabs.filter((tab) => !byTitle(last, tab.title)).map(fresh);
  const all = [...kept, ...added];
  const activeTabIndex = Math.min(Math.max(stored.activeTabIndex ?? 0, 0), all.length - 1);
  return { activeTabIndex, tabs: all };
}

const tokenOf = ({ headers }) => /^Bearer (\S+)$/.exec(headers.Authorization ?? "")?.[1];

/**
 * A storage for GraphiQL that keeps no token: on the way in each token becomes its tab's name, on the way out the name
 * becomes the token of today. So a token of an earlier start can never come back, be it in a tab or in the history,
 * and headers that the user wrote stay as they are.
 *
 * A window reads what it wrote itself and, when it is new, what the last window wrote.
 */
export function withoutTokens({ tabs, session, local }) {
  const names = tabs.flatMap((tab) => {
    const token = tokenOf(tab);
    return token ? [{ token, name: `{{token of ${tab.title}}}` }] : [];
  });
  const hide = (text) => names.reduce((left, { token, name }) => left.replaceAll(token, () => name), text);
  const show = (text) => names.reduce((left, { token, name }) => left.replaceAll(name, () => token), text);
  const areas = (key) => (WINDOW_KEYS.has(key) ? [session, local] : [local]);
  const own = () => Object.keys(local).concat(Object.keys(session)).filter((key) => key.startsWith("graphiql:"));
  return {
    getItem(key) {
      for (const area of areas(key)) {
        const value = area.getItem(key);
        if (value !== null) return show(value);
      }
      return null;
    },
    setItem(key, value) {
      for (const area of areas(key)) area.setItem(key, hide(String(value)));
    },
    removeItem(key) {
      for (const area of areas(key)) area.removeItem(key);
    },
    clear() {
      for (const key of own()) [session, local].forEach((area) => area.removeItem(key));
    },
    get length() {
      return own().length;
    },
  };
}
