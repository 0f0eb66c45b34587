import "./workers.js";
import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "graphiql/graphiql.css";
import "./style.css";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createRoot } from "react-dom/client";
import { asEditorTexts, followServer, TAB_STATE_KEY, withoutTokens } from "./prepared.js";

const ENDPOINT = "/graphql";
const LAST_PREPARED_KEY = "graphiql:lastPreparedTabs";

/** The tabs that the server prepared, each with its token; one that says what is wrong where it prepared none. */
async function preparedTabs() {
  const response = await fetch("/graphiql/tabs.json", { cache: "no-store" });
  if (response.ok) return response.json();
  const query = `# No prepared tabs, no tokens: /graphiql/tabs.json\n# answered ${response.status}.\n`;
  return [{ title: "Query", query, variables: {}, headers: {} }];
}

/** What the browser kept under a key, parsed; null where nothing usable is kept. */
function kept(storage, key) {
  try {
    return JSON.parse(storage.getItem(key));
  } catch {
    return null;
  }
}

const prepared = await preparedTabs();
const tabs = prepared.map(asEditorTexts);
const storage = withoutTokens({ tabs: prepared, session: sessionStorage, local: localStorage });
const state = followServer({
  stored: kept(storage, TAB_STATE_KEY),
  last: kept(storage, LAST_PREPARED_KEY) ?? [],
  tabs,
});
storage.setItem(TAB_STATE_KEY, JSON.stringify(state));
storage.setItem(LAST_PREPARED_KEY, JSON.stringify(tabs));
const active = state.tabs[state.activeTabIndex];

const http = createGraphiQLFetcher({ url: ENDPOINT, enableIncrementalDelivery: false });

// Queries and mutations go by fetch, which accepts application/graphql-response+json; a subscription opens a socket of
// its own (graphql-transport-ws) whose connection_init carries the tab's headers. The schema is asked for before the
// headers' editor is there: by the first prepared tab's headers then.
const fetcher = createGraphiQLFetcher({
  url: ENDPOINT,
  subscriptionUrl: `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${ENDPOINT}`,
  enableIncrementalDelivery: false,
  schemaFetcher: (query, options) => http(query, options?.headers ? options : { headers: prepared[0]?.headers }),
});

createRoot(document.getElementById("graphiql")).render(
  <GraphiQL
    fetcher={fetcher}
    storage={storage}
    // Kept, since `withoutTokens` sees to it that no token is.
    shouldPersistHeaders
    showPersistHeadersSettings={false}
    initialQuery={active?.query ?? undefined}
    initialVariables={active?.variables ?? undefined}
    initialHeaders={active?.headers ?? undefined}
    // A new tab speaks as the first prepared one.
    defaultHeaders={tabs[0]?.headers}
    defaultEditorToolsVisibility="variables"
    schemaDescription
    inputValueDeprecation
  >
    <GraphiQL.Logo>
      <span className="laurel-logo">Laurel</span>
    </GraphiQL.Logo>
  </GraphiQL>,
);
