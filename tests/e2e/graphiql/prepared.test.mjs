// What the browser kept meets what the server prepares; run by `node --test`, no package needed.
import assert from "node:assert/strict";
import test from "node:test";
import { asEditorTexts, followServer, TAB_STATE_KEY, withoutTokens } from "../../../app/graphiql/source/prepared.js";

/** A Storage as browsers have it: its keys are its own properties. */
class Area {
  getItem(key) {
    return Object.hasOwn(this, key) ? this[key] : null;
  }
  setItem(key, value) {
    this[key] = String(value);
  }
  removeItem(key) {
    delete this[key];
  }
}

const prepared = (start, titles = ["Member", "Till"]) =>
  titles.map((title) => ({
    title,
    query: `query Of${title} { viewer { roles } }`,
    variables: { key: `${start}-${title}` },
    headers: { Authorization: `Bearer token-${start}-${title}` },
  }));
const texts = (start, titles) => prepared(start, titles).map(asEditorTexts);
const firstVisit = (start, titles) => followServer({ stored: null, last: [], tabs: texts(start, titles) });
const storage = (start, { session = new Area(), local = new Area() } = {}) =>
  withoutTokens({ tabs: prepared(start), session, local });

test("the first visit shows what the server prepared", () => {
  const { activeTabIndex, tabs } = firstVisit("one");
  assert.equal(activeTabIndex, 0);
  assert.deepEqual(tabs.map(({ title }) => title), ["Member", "Till"]);
  assert.equal(JSON.parse(tabs[1].headers).Authorization, "Bearer token-one-Till");
  assert.equal(JSON.parse(tabs[1].variables).key, "one-Till");
});

test("an editor without variables is empty", () => {
  const [tab] = [{ title: "T", query: "{ a }", variables: {}, headers: {} }].map(asEditorTexts);
  assert.equal(tab.variables, "");
});

test("what the user left alone follows the server, and what the user wrote stays", () => {
  const stored = firstVisit("one");
  stored.activeTabIndex = 1;
  stored.tabs[0].query = "{ me { id } }";
  const { activeTabIndex, tabs } = followServer({ stored, last: texts("one"), tabs: texts("two") });
  assert.equal(activeTabIndex, 1);
  assert.equal(tabs[0].query, "{ me { id } }");
  assert.equal(JSON.parse(tabs[0].variables).key, "two-Member");
  assert.equal(tabs[1].query, texts("two")[1].query);
});

test("headers that the user wrote stay, untouched ones are of today", () => {
  const stored = firstVisit("one");
  stored.tabs[0].headers = '{"Authorization": "Bearer my-own"}';
  const { tabs } = followServer({ stored, last: texts("one"), tabs: texts("two") });
  assert.equal(JSON.parse(tabs[0].headers).Authorization, "Bearer my-own");
  assert.equal(JSON.parse(tabs[1].headers).Authorization, "Bearer token-two-Till");
});

test("a closed tab stays closed, a tab of the user's stays, a newly prepared one comes", () => {
  const own = { id: "x", title: "Mine", query: "{ a }", variables: "", headers: "", operationName: null, response: null };
  const stored = { activeTabIndex: 7, tabs: [firstVisit("one").tabs[1], own] };
  const { activeTabIndex, tabs } = followServer({
    stored,
    last: texts("one"),
    tabs: texts("two", ["Member", "Till", "Operator"]),
  });
  assert.deepEqual(tabs.map(({ title }) => title), ["Till", "Mine", "Operator"]);
  assert.equal(activeTabIndex, 2);
});

test("a prepared tab that the server no longer prepares stays as it was", () => {
  const stored = firstVisit("one");
  const { tabs } = followServer({ stored, last: texts("one"), tabs: texts("two", ["Member"]) });
  assert.equal(tabs[1].variables, stored.tabs[1].variables);
});

test("a state that cannot be read is as good as none", () => {
  for (const stored of [null, 1, [], {}, { tabs: "x" }, { tabs: [] }]) {
    assert.equal(followServer({ stored, last: [], tabs: texts("one") }).tabs.length, 2);
  }
});

test("no token is ever kept, and an old one comes back as the one of today", () => {
  const areas = { session: new Area(), local: new Area() };
  const before = storage("one", areas);
  before.setItem(TAB_STATE_KEY, JSON.stringify(firstVisit("one")));
  before.setItem("graphiql:queries", JSON.stringify({ queries: [{ headers: texts("one")[1].headers }] }));
  for (const area of Object.values(areas)) {
    for (const value of Object.values(area)) assert.ok(!value.includes("token-one"), value);
  }
  const after = storage("two", areas);
  assert.ok(after.getItem(TAB_STATE_KEY).includes("Bearer token-two-Member"));
  assert.ok(after.getItem("graphiql:queries").includes("Bearer token-two-Till"));
  assert.ok(!after.getItem(TAB_STATE_KEY).includes("token-one"));
});

test("a new window begins as the last one was, then keeps to itself", () => {
  const local = new Area();
  const first = storage("one", { local });
  const second = storage("one", { local });
  first.setItem("graphiql:query", "{ first }");
  assert.equal(second.getItem("graphiql:query"), "{ first }");
  second.setItem("graphiql:query", "{ second }");
  assert.equal(first.getItem("graphiql:query"), "{ first }");
  first.setItem("graphiql:theme", "dark");
  assert.equal(second.getItem("graphiql:theme"), "dark");
});

test("clearing leaves nothing of GraphiQL's and everything of others'", () => {
  const areas = { session: new Area(), local: new Area() };
  areas.local.setItem("other", "1");
  const kept = storage("one", areas);
  kept.setItem("graphiql:query", "{ a }");
  kept.setItem("graphiql:theme", "dark");
  assert.equal(kept.length, 3);
  kept.clear();
  assert.equal(kept.length, 0);
  assert.equal(areas.local.getItem("other"), "1");
  kept.setItem("graphiql:theme", "light");
  kept.removeItem("graphiql:theme");
  assert.equal(kept.getItem("graphiql:theme"), null);
});
