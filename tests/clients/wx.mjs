// As much of WeChat's `wx` as docs/examples/weapp uses, over node's fetch and ws, and the means to disturb it.
import WebSocket from 'ws';

export function installWx() {
  const storage = new Map();
  const shown = [];
  const network = [];
  const sockets = [];
  const faults = { loseAnswers: 0, refuseRequests: 0, stillUnderWay: 0 };

  globalThis.wx = {
    request({ url, method, data, header, success, fail }) {
      if (faults.refuseRequests > 0) {
        faults.refuseRequests -= 1;
        setTimeout(() => fail({ errMsg: 'request:fail' }));
        return;
      }
      if (faults.stillUnderWay > 0) {
        faults.stillUnderWay -= 1;
        const claimCoupon = { __typename: 'OperationInProgressProblem', code: 'OPERATION_IN_PROGRESS', message: 'Under way.' };
        setTimeout(() => success({ data: { data: { claimCoupon } }, statusCode: 200, header: {} }));
        return;
      }
      fetch(url, { method, headers: header, body: JSON.stringify(data) }).then(
        async (response) => {
          const answer = await response.json();
          if (faults.loseAnswers > 0) {
            faults.loseAnswers -= 1;
            fail({ errMsg: 'request:fail timeout' });
          } else {
            success({ data: answer, statusCode: response.status, header: Object.fromEntries(response.headers) });
          }
        },
        () => fail({ errMsg: 'request:fail' }),
      );
    },
    connectSocket({ url, protocols }) {
      const socket = new WebSocket(url, protocols);
      const listeners = { close: [], message: [], error: [] };
      const tell = (kind, value) => listeners[kind].forEach((listener) => listener(value));
      const sent = [];
      socket.on('message', (data) => tell('message', { data: data.toString() }));
      socket.on('close', (code, reason) => tell('close', { code, reason: reason.toString() }));
      socket.on('error', (error) => tell('error', { errMsg: error.message }));
      sockets.push({ socket, sent, say: (message) => tell('message', { data: JSON.stringify(message) }), cut: (code) => cut(socket, tell, code) });
      return {
        send({ data, fail }) {
          sent.push(JSON.parse(data));
          if (socket.readyState === WebSocket.OPEN) socket.send(data);
          else if (fail) fail({ errMsg: 'sendSocketMessage:fail' });
        },
        close: ({ code, reason }) => socket.close(code, reason),
        onOpen: (listener) => socket.on('open', () => listener({})),
        onMessage: (listener) => listeners.message.push(listener),
        onClose: (listener) => listeners.close.push(listener),
        onError: (listener) => listeners.error.push(listener),
      };
    },
    getStorageSync: (key) => (storage.has(key) ? JSON.parse(storage.get(key)) : ''),
    setStorageSync: (key, value) => storage.set(key, JSON.stringify(value)),
    removeStorageSync: (key) => storage.delete(key),
    getStorageInfoSync: () => ({ keys: [...storage.keys()] }),
    onAppShow: (listener) => shown.push(listener),
    onNetworkStatusChange: (listener) => network.push(listener),
  };
  return { storage, sockets, faults, show: () => shown.forEach((listener) => listener({})) };
}

// As a client sees a server close with this code: the connection is gone, and the code is all that is told.
function cut(socket, tell, code) {
  socket.removeAllListeners('close');
  socket.removeAllListeners('message');
  socket.terminate();
  tell('close', { code, reason: '' });
}
