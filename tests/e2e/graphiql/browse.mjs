// Opens GraphiQL in Chromium as a newcomer does and prints what was seen, as JSON, for a test to judge.
// Usage: node browse.mjs '{"baseUrl": "http://127.0.0.1:8000", "chromium": "/usr/bin/chromium", "screenshot": null}'
import { chromium } from "playwright-core";

const { baseUrl, chromium: executablePath, screenshot } = JSON.parse(process.argv[2]);
const PATIENCE_MS = 45_000;
const WRITTEN_AFTER_MS = 1_500; // GraphiQL keeps what was typed half a second later
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const seen = { external: [], violations: [], errors: [], socketMessages: [] };

function isOwn(url) {
  const { protocol, host } = new URL(url);
  return ["data:", "blob:"].includes(protocol) || host === new URL(baseUrl).host;
}

/** Notes every request that leaves for another host, every violation of the policy, every error. */
async function watched(context) {
  context.on("request", (request) => isOwn(request.url()) || seen.external.push(request.url()));
  context.on("weberror", (error) => seen.errors.push(String(error.error())));
  context.on("console", (message) => {
    if (/content security policy/i.test(message.text())) seen.violations.push(message.text());
    else if (message.type() === "error") seen.errors.push(message.text());
  });
  await context.exposeFunction("reportViolation", (text) => seen.violations.push(text));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sample }) =>
      window.reportViolation(`${violatedDirective} ${blockedURI} ${sample}`),
    );
  });
  return context;
}

async function opened(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("websocket", (socket) => {
    if (!isOwn(socket.url().replace(/^ws/, "http"))) seen.external.push(socket.url());
    socket.on("framesent", ({ payload }) => seen.socketMessages.push(JSON.parse(payload)));
  });
  await load(page, () => page.goto(`${baseUrl}/graphiql`));
  return page;
}

/** Loads the page and waits for its editors and its schema; the tabs that the server prepared stay at `page.prepared`. */
async function load(page, navigate) {
  const tabs = page.waitForResponse((response) => response.url().endsWith("/graphiql/tabs.json"));
  const schema = page.waitForResponse(
    (response) => (response.request().postData() ?? "").includes("IntrospectionQuery"),
  );
  await navigate();
  page.prepared = await (await tabs).json();
  page.introspected = (await schema).ok();
  await page.waitForSelector(".graphiql-query-editor .view-line");
  await page.waitForFunction(() => globalThis.__MONACO?.editor.getModels().length >= 4);
}

/** The text of one of GraphiQL's editors: operation.graphql, variables.json, request-headers.json, response.json. */
const text = (page, editor) =>
  page.evaluate(
    (name) => globalThis.__MONACO.editor.getModels().find((model) => model.uri.path.endsWith(name)).getValue(),
    editor,
  );

const setText = (page, editor, value) =>
  page.evaluate(
    ([name, content]) =>
      globalThis.__MONACO.editor.getModels().find((model) => model.uri.path.endsWith(name)).setValue(content),
    [editor, value],
  );

async function run(page, operation) {
  await page.click(".graphiql-execute-button");
  await page.getByRole("menuitem", { name: operation, exact: true }).click();
}

const answer = async (page, contains) => {
  await page.waitForFunction(
    (wanted) =>
      globalThis.__MONACO.editor
        .getModels()
        .find((model) => model.uri.path.endsWith("response.json"))
        .getValue()
        .includes(wanted),
    contains,
  );
  return JSON.parse(await text(page, "response.json"));
};

/** Waits until a socket has sent a message of this type. */
async function sent(type) {
  const until = Date.now() + PATIENCE_MS;
  while (!seen.socketMessages.some((message) => message.type === type)) {
    if (Date.now() > until) throw new Error(`no socket has sent ${type}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const titles = (page) => page.locator(".graphiql-tab button[id^=graphiql-session-tab]").allTextContents();

/** What each tab would send as Authorization, in the order of the tabs. */
async function authorizations(page) {
  const found = [];
  for (const title of await titles(page)) {
    await page.getByRole("button", { name: title, exact: true }).click();
    found.push(JSON.parse(await text(page, "request-headers.json")).Authorization);
  }
  await page.locator("#graphiql-session-tab-0").click();
  return found;
}

const storedTexts = (page) => page.evaluate(() => [localStorage, sessionStorage].flatMap((area) => Object.values(area)));

const preparedAuthorizations = (page) => page.prepared.map((tab) => tab.headers.Authorization);

/** Edits, reloads, and tells what became of the edit and of the tokens. */
async function reloaded(page) {
  const before = page.prepared[0].variables;
  const edited = JSON.stringify({ ...before, idempotencyKey: "my-own-key" });
  await setText(page, "variables.json", edited);
  await page.waitForTimeout(WRITTEN_AFTER_MS);
  const kept = await storedTexts(page);
  const tokens = preparedAuthorizations(page).map((header) => header.replace("Bearer ", ""));
  await load(page, () => page.reload());
  return {
    titles: await titles(page),
    editStays: (await text(page, "variables.json")) === edited,
    authorizations: await authorizations(page),
    prepared: preparedAuthorizations(page),
    tokensKept: tokens.filter((token) => kept.some((value) => value.includes(token))).length,
    kept: kept.length,
  };
}

const browser = await chromium.launch({ executablePath, headless: true, args: FLAGS });
try {
  const context = await watched(await browser.newContext({ viewport: { width: 1440, height: 860 } }));
  const first = await opened(context);
  const report = { titles: await titles(first), prepared: preparedAuthorizations(first), introspected: first.introspected };
  report.authorizations = await authorizations(first);

  await run(first, "MyWallet");
  report.wallet = await answer(first, '"wallet"');

  await run(first, "WatchMyWallet");
  await sent("subscribe");

  const second = await opened(context);
  await run(second, "ClaimCoupon");
  report.claim = await answer(second, '"claimCoupon"');
  report.live = await answer(first, '"walletChanged"');
  if (screenshot) {
    await first.bringToFront();
    await first.waitForTimeout(500);
    await first.screenshot({ path: screenshot });
  }

  report.reload = await reloaded(second);
  console.log(JSON.stringify({ ...report, ...seen }));
} finally {
  await browser.close();
}
