'use strict';
// State, requests and small helpers that both panes use.
const $ = (id) => document.getElementById(id);
const state = {
  user: null, inbox: [], now: null, menu: [], templates: [], tab: 'chat',
  token: '', member: null, entries: [], busy: false,
};

// own is what the page remembers of one person: what he wrote, and which steps are done.
const own = {
  key: () => 'sandbox.person.' + (state.user ? state.user.unionid : ''),
  read() { try { return JSON.parse(localStorage.getItem(this.key())) || {}; } catch { return {}; } },
  write(change) { localStorage.setItem(this.key(), JSON.stringify({ ...this.read(), ...change })); },
};

class Refusal extends Error {
  constructor(status, body) {
    super((body && body.error && body.error.message) || 'HTTP ' + status);
    this.status = status;
    this.code = body && body.error && body.error.code;
  }
}

async function request(method, path, body, headers) {
  const init = { method, headers: { 'Accept-Language': lang === 'zh' ? 'zh-CN' : 'en', ...headers } };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers['Content-Type'] = 'application/json';
  }
  const res = await fetch(path, init);
  const text = await res.text();
  let out = null;
  try { out = text ? JSON.parse(text) : {}; } catch { throw new Refusal(res.status, null); }
  if (!res.ok) throw new Refusal(res.status, out);
  return out;
}
const box = (path) => request('GET', '/sandbox/api' + path);
const act = (path, body) => request('POST', '/sandbox/api' + path, body || {});
const deed = (name, body) => act('/users/' + state.user.id + '/' + name, body);

// el makes an element: never from text that people wrote.
function el(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

function say(id, text) {
  $(id).textContent = text || '';
  $(id).hidden = !text;
}

// guarded runs an action of the user: one at a time, and a refusal is shown where it belongs.
async function guarded(where, fn) {
  if (state.busy) return;
  state.busy = true;
  document.body.classList.add('busy');
  say(where, '');
  try {
    await fn();
  } catch (e) {
    say(where, e.message);
  } finally {
    state.busy = false;
    document.body.classList.remove('busy');
  }
}

// words fills in the sentences that stand in the page.
function words() {
  document.documentElement.lang = lang === 'zh' ? 'zh-CN' : 'en';
  for (const e of document.querySelectorAll('[data-t]')) e.textContent = t(e.dataset.t);
  for (const e of document.querySelectorAll('[data-p]')) e.placeholder = t(e.dataset.p);
  $('lang').textContent = t('lang');
}

const pad2 = (n) => String(n).padStart(2, '0');
// shanghai is a moment in the programme's zone, which has no summer time: read it with the UTC getters.
const shanghai = (iso) => new Date(new Date(iso).getTime() + 8 * 3600e3);
function showMoment(iso) {
  const d = shanghai(iso);
  return `${pad2(d.getUTCMonth() + 1)}-${pad2(d.getUTCDate())} ${pad2(d.getUTCHours())}:${pad2(d.getUTCMinutes())}`;
}
const weekday = (d) => (lang === 'zh' ? '周' + '日一二三四五六'[d.getUTCDay()] : ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][d.getUTCDay()]);
