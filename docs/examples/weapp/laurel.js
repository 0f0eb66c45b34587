// Laurel in a WeChat mini-program: queries and writes by wx.request, live events by wx.connectSocket. It needs no library.
'use strict';

const PROTOCOL = 'graphql-transport-ws';
const REQUEST_MS = 15000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30000;
const PING_MS = 20000;
const SILENCE_MS = 45000; // no word for so long: the connection is dead, though nobody has said so
const SETTLE_MS = 1000; // a subscription has no acknowledgement: read the state once it has surely begun
const WRITES = 'laurel:write:';
// After these the outcome of a write is not known: its key is kept, and the same write is sent again later.
const OPEN_OUTCOMES = ['NETWORK', 'UNAVAILABLE', 'INTERNAL', 'RATE_LIMITED', 'UNAUTHENTICATED'];
// Closed for a mistake of the client's: connecting again would only repeat it.
const OUR_MISTAKES = [1009, 4400, 4401, 4406, 4409, 4429];

class LaurelError extends Error {
  constructor(message, extensions) {
    super(message);
    Object.assign(this, extensions); // code, requestId, retryAfterSeconds, argument, …
  }
}

/** token({ fresh }): a promise of an access token; fresh: true when the last one was refused. */
function createLaurel({ url, socketUrl, token, language = 'zh-CN' }) {
  async function post(body, fresh) {
    const bearer = await token({ fresh });
    return new Promise((resolve, reject) => {
      wx.request({
        url,
        method: 'POST',
        data: body,
        timeout: REQUEST_MS,
        header: {
          'Content-Type': 'application/json',
          Accept: 'application/graphql-response+json, application/json',
          'Accept-Language': language,
          Authorization: `Bearer ${bearer}`,
        },
        success: ({ data }) => resolve(data),
        fail: ({ errMsg }) => reject(new LaurelError(errMsg, { code: 'NETWORK' })),
      });
    });
  }

  /** The data of an answer. An error that left no data is thrown, with its code. */
  async function request(query, variables = {}) {
    let answer = await post({ query, variables }, false);
    if (codeOf(answer) === 'UNAUTHENTICATED') answer = await post({ query, variables }, true);
    if (answer && answer.data) return answer.data;
    const error = answer && answer.errors && answer.errors[0];
    // Something between us and Laurel may answer too, and not in GraphQL: that is no answer.
    if (!error) throw new LaurelError('no answer', { code: 'NETWORK' });
    throw new LaurelError(error.message, error.extensions);
  }

  /**
   * A write that happens once, however often it is sent. `intention` names what the user wants ("claim:<template>"):
   * as long as its outcome is not known, the same intention is the same write, also after the app was closed.
   */
  async function write(intention, query, input) {
    const place = WRITES + intention;
    const kept = wx.getStorageSync(place) || { query, input: { ...input, idempotencyKey: newKey() } };
    wx.setStorageSync(place, kept); // before it is sent
    try {
      const data = await request(kept.query, { input: kept.input });
      const outcome = Object.values(data)[0];
      // While the first try is under way, the next one is the same write.
      if (outcome.code !== 'OPERATION_IN_PROGRESS') wx.removeStorageSync(place);
      return outcome;
    } catch (error) {
      if (!OPEN_OUTCOMES.includes(error.code)) wx.removeStorageSync(place);
      throw error;
    }
  }

  /** At the app's start: sends again what was never answered. The results, by intention. */
  async function resume() {
    const results = {};
    for (const place of wx.getStorageInfoSync().keys.filter((key) => key.startsWith(WRITES))) {
      const intention = place.slice(WRITES.length);
      try {
        results[intention] = await write(intention);
      } catch (error) {
        results[intention] = error;
      }
    }
    return results;
  }

  return { request, write, resume, live: createLive({ url: socketUrl, token }) };
}

/** One socket for all subscriptions (WeChat allows five): it reconnects for as long as there is one. */
function createLive({ url, token }) {
  const subscriptions = new Map(); // by the id that the server knows them by
  let socket = null; // { task, acknowledged }
  let heardAt = 0;
  let attempts = 0;
  let refused = 0;
  let nextId = 0;
  let timer = null;
  let pulse = null;

  async function connect() {
    clearTimeout(timer);
    timer = null;
    const own = { task: null, acknowledged: false, over: false };
    socket = own;
    heardAt = Date.now();
    clearInterval(pulse);
    pulse = setInterval(beat, PING_MS);
    let bearer;
    try {
      bearer = await token({ fresh: refused > 0 });
    } catch (_) {
      return lost(own, 1006, 'no token');
    }
    if (own.over) return;
    const task = wx.connectSocket({ url, protocols: [PROTOCOL], fail: () => lost(own, 1006, 'no connection') });
    own.task = task;
    task.onOpen(() => send(own, { type: 'connection_init', payload: { Authorization: `Bearer ${bearer}` } }));
    task.onMessage(({ data }) => own.over || hear(own, JSON.parse(data)));
    task.onClose(({ code, reason }) => lost(own, code, reason));
    task.onError(({ errMsg }) => lost(own, 1006, errMsg));
  }

  function send(own, message) {
    own.task.send({ data: JSON.stringify(message), fail: () => lost(own, 1006, 'not sent') });
  }

  function hear(own, message) {
    heardAt = Date.now();
    const subscription = subscriptions.get(message.id);
    switch (message.type) {
      case 'connection_ack':
        own.acknowledged = true;
        attempts = refused = 0;
        for (const each of [...subscriptions.values()]) start(each);
        break;
      case 'ping':
        send(own, { type: 'pong' });
        break;
      case 'next':
        if (subscription) take(subscription, message.payload);
        break;
      case 'error':
        subscriptions.delete(message.id);
        if (subscription) subscription.onError(asError(message.payload[0]));
        break;
      case 'complete':
        subscriptions.delete(message.id);
        break;
    }
  }

  function lost(own, code, reason) {
    if (own.over) return;
    own.over = true;
    if (socket !== own) return;
    socket = null;
    clearInterval(pulse);
    if (subscriptions.size === 0) return;
    if (code === 4403) refused += 1;
    if (OUR_MISTAKES.includes(code) || refused > 1) {
      const error = new LaurelError(reason || 'closed', { code: refused > 1 ? 'UNAUTHENTICATED' : 'PROTOCOL', closed: code });
      for (const each of subscriptions.values()) each.onError(error);
      return; // wake() tries again: after a login, say
    }
    // 1001: the process stops and another one is there. Everybody comes at once, so nobody comes at the same moment.
    const ceiling = code === 1001 ? FIRST_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempts);
    attempts += 1;
    timer = setTimeout(connect, ceiling * (0.5 + Math.random() / 2));
  }

  function beat() {
    const own = socket;
    if (!own) return;
    if (Date.now() - heardAt <= SILENCE_MS) {
      if (own.acknowledged) send(own, { type: 'ping' });
      return;
    }
    if (own.task) own.task.close({ code: 4000, reason: 'silence' });
    lost(own, 1006, 'silence');
  }

  /** The app is shown, the network is back, the user has logged in: do not wait for the pause to end. */
  function wake() {
    if (socket) return beat();
    if (subscriptions.size > 0) connect();
  }

  // ── one subscription ──────────────────────────────────────────────────────────────────────────────────────────────

  function start(subscription) {
    subscriptions.delete(subscription.id);
    subscription.id = String((nextId += 1));
    subscriptions.set(subscription.id, subscription);
    send(socket, { type: 'subscribe', id: subscription.id, payload: { query: subscription.query, variables: subscription.variables } });
    if (!subscription.read) return;
    subscription.position = null; // until the state is read, events wait
    subscription.waiting = [];
    setTimeout(() => snapshot(subscription, subscription.id), SETTLE_MS);
  }

  async function snapshot(subscription, id) {
    if (!subscriptions.has(id)) return; // meanwhile it was started anew, or ended
    let found;
    try {
      found = await subscription.read();
    } catch (_) {
      setTimeout(() => snapshot(subscription, id), LONGEST_PAUSE_MS / 6);
      return;
    }
    if (!subscriptions.has(id)) return;
    subscription.position = found.sequence;
    subscription.onSnapshot(found.state);
    for (const event of subscription.waiting.splice(0)) {
      if (event.sequence <= subscription.position) continue; // it is in what was read
      subscription.position = event.sequence;
      subscription.onEvent(event);
    }
  }

  function take(subscription, payload) {
    if (!payload.data) return subscription.onError(asError(payload.errors[0]));
    deliver(subscription, Object.values(payload.data)[0]);
  }

  function deliver(subscription, event) {
    const position = subscription.position;
    if (subscription.read && position === null) {
      subscription.waiting.push(event);
    } else if (position !== null && event.sequence <= position && !event.snapshotRequired) {
      // A duplicate: events come at least once.
    } else if (subscription.read && (event.snapshotRequired || event.sequence > position + 1)) {
      subscription.position = null; // something was missed, or is no longer so: read the state again
      subscription.waiting = event.snapshotRequired ? [] : [event];
      snapshot(subscription, subscription.id);
    } else {
      subscription.position = event.sequence;
      subscription.onEvent(event);
    }
  }

  /**
   * Listens until the returned function is called. The query selects sequence and snapshotRequired.
   * read(): a promise of { sequence, state }, the whole as it is now; it is asked for at the start, after every
   * reconnection and when an event is missing. Without it, duplicates are dropped and nothing else is promised.
   */
  function subscribe({ query, variables = {}, read = null, onSnapshot = () => {}, onEvent, onError = () => {} }) {
    const subscription = { query, variables, read, onSnapshot, onEvent, onError, position: null, waiting: [] };
    subscription.id = String((nextId += 1));
    subscriptions.set(subscription.id, subscription);
    if (!socket) {
      connect();
    } else if (socket.acknowledged) {
      start(subscription);
    }
    return () => {
      if (!subscriptions.delete(subscription.id)) return;
      if (socket && socket.acknowledged) send(socket, { type: 'complete', id: subscription.id });
      if (subscriptions.size === 0) stop();
    };
  }

  function stop() {
    clearTimeout(timer);
    clearInterval(pulse);
    timer = null;
    const own = socket;
    socket = null;
    if (!own) return;
    own.over = true;
    if (own.task) own.task.close({ code: 1000, reason: 'done' });
  }

  wx.onAppShow(wake); // WeChat ends the sockets of an app in the background
  wx.onNetworkStatusChange(({ isConnected }) => isConnected && wake());
  return { subscribe, wake };
}

function codeOf(answer) {
  const error = answer && !answer.data && answer.errors && answer.errors[0];
  return error && error.extensions && error.extensions.code;
}

function asError(error) {
  return new LaurelError(error.message, error.extensions);
}

/** Unique among the keys of one caller is enough: a key is no secret. */
function newKey() {
  const part = () => Math.random().toString(36).slice(2, 12);
  return `${Date.now().toString(36)}-${part()}-${part()}`;
}

module.exports = { createLaurel, LaurelError };
