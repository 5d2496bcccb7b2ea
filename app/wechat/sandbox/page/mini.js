'use strict';
// The mini-program: it speaks siyu's own member API, with the code that the sandbox's phone gives.
async function siyu(method, path, body, again) {
  const headers = state.token ? { Authorization: 'Bearer ' + state.token } : {};
  if (method !== 'GET' && path !== '/login') headers['Idempotency-Key'] = crypto.randomUUID ? crypto.randomUUID() : String(Math.random()).slice(2);
  try {
    return await request(method, '/api/v1' + path, body, headers);
  } catch (e) {
    if (e.status === 401 && !again && path !== '/login') {
      await login();
      return siyu(method, path, body, true);
    }
    if (e.status === 404 && !e.code) throw new Error(t('noApi'));
    throw e;
  }
}

async function login() {
  const { code } = await deed('login', { account: 'mp' });
  state.token = '';
  const out = await siyu('POST', '/login', { account: 'mp', code });
  state.token = out.token;
  state.member = out.member || null;
  if (state.member) own.write({ member: true });
}

async function openMini() {
  if (!state.user) return say('mini-said', t('chooseFirst'));
  await guarded('mini-said', async () => {
    if (!state.token) await login();
    await refreshMini();
  });
  drawMini();
}

// enterChat opens the mini-program from a group chat: siyu believes what WeChat sealed, not the name.
function enterChat(group, bind) {
  if (!state.user) return say('said', t('chooseFirst'));
  return guarded('said', async () => {
    if (!state.token) await login();
    const sealed = await deed('group', { account: 'mp', group });
    const out = await siyu('POST', '/groups/enter', { account: 'mp', encrypted_data: sealed.encrypted_data, iv: sealed.iv, ...(bind ? { bind } : {}) });
    await refreshMini();
    const gains = (out.grants || []).filter((g) => g.amount).map((g) => '+' + g.amount).join(' ');
    say('said', t(out.new ? 'chatNew' : 'chatOld') + out.group + ' ' + gains);
  }).then(drawMini);
}

async function refreshMini() {
  if (!state.token || !state.member) return;
  const [points, list] = await Promise.all([siyu('GET', '/points'), siyu('GET', '/points/entries')]);
  state.balance = points.balance;
  state.accounts = Object.fromEntries((points.accounts || []).map((a) => [a.account, a.name]));
  state.entries = list.items || [];
  if (state.entries.length) own.write({ ledger: true });
  try { state.quizzes = (await siyu('GET', '/quizzes')).items || []; } catch { state.quizzes = []; }
}

function drawMini() {
  const status = !state.token ? 'out' : state.member ? 'member' : 'guest';
  $('member').textContent = t(status);
  $('login').hidden = status !== 'out';
  $('register').hidden = status !== 'guest';
  $('checkin').hidden = status !== 'member';
  $('balance').textContent = status === 'member' && state.balance !== undefined ? state.balance : '–';
  drawEntries();
  drawQuizzes();
  drawTemplates();
  drawSteps();
}

function drawEntries() {
  $('entries').replaceChildren(...state.entries.map((e) => {
    const li = el('li');
    const delta = Number(e.delta);
    li.append(el('b', delta < 0 ? 'minus' : 'plus', (delta > 0 ? '+' : '') + e.delta + ' ' + ((state.accounts || {})[e.account] || e.account)));
    const what = el('div');
    what.append(el('span', '', e.reason || e.account || ''));
    what.append(el('small', '', t('rule') + ': ' + (e.rule ? e.rule.name : t('manual'))));
    what.append(el('small', '', showMoment(e.occurred_at) + ' · ' + t('balanceAfter') + ' ' + e.balance_after));
    li.append(what);
    return li;
  }));
  if (!state.entries.length) $('entries').append(el('li', 'empty', t('noEntries')));
}

// options are told as texts, as {key, text} or as an object of texts.
function options(q) {
  const o = q.options || [];
  if (!Array.isArray(o)) return Object.entries(o);
  return o.map((x, i) => (typeof x === 'string' ? [String.fromCharCode(65 + i), x] : [x.key || x.id || String.fromCharCode(65 + i), x.text || x.label || '']));
}

function drawQuizzes() {
  const list = state.quizzes || [];
  $('quizzes').replaceChildren(...list.map((q) => {
    const div = el('div', 'quiz');
    div.append(el('p', '', q.question || q.title || ''));
    for (const [key, text] of options(q)) {
      const b = el('button', '', key + '. ' + text);
      b.type = 'button';
      b.disabled = Boolean(q.answered);
      b.addEventListener('click', () => answer(q, key));
      div.append(b);
    }
    return div;
  }));
  if (!list.length) $('quizzes').append(el('p', 'empty', t('noQuiz')));
}

async function answer(q, key) {
  await guarded('mini-said', async () => {
    const out = await siyu('POST', `/quizzes/${encodeURIComponent(q.id)}/answers`, { answer: key });
    say('mini-said', [out.explanation, out.message].filter(Boolean).join(' ') || t('answered'));
    await refreshMini();
  });
  drawMini();
}

const subscribeTemplates = () => state.templates.filter((x) => x.account === 'mp' && x.kind === 'subscribe');

function drawTemplates() {
  $('templates').replaceChildren(...subscribeTemplates().map((x) => {
    const left = (state.user && state.user.accepted[x.id]) || 0;
    const b = el('button', 'ghost', x.title + (left ? ` (${left})` : ''));
    b.type = 'button';
    b.addEventListener('click', () => guarded('mini-said', async () => {
      await deed('accept', { account: 'mp', template: x.id, times: 1 });
      await reloadUser();
      say('mini-said', t('accepted') + ': ' + x.title);
    }).then(drawMini));
    return b;
  }));
}

function wireMini() {
  $('login').addEventListener('click', openMini);
  $('register').addEventListener('click', () => guarded('mini-said', async () => {
    const out = await siyu('POST', '/register', {});
    if (out.token) state.token = out.token;
    state.member = out.member || out;
    own.write({ member: true });
    // As mini-programs do on such a tap: ask for one message of each template. This person says yes.
    for (const x of subscribeTemplates()) await deed('accept', { account: 'mp', template: x.id, times: 1 });
    await reloadUser();
    say('mini-said', t('registered'));
    await refreshMini();
  }).then(drawMini));
  $('checkin').addEventListener('click', () => guarded('mini-said', async () => {
    const out = await siyu('POST', '/checkins', {});
    say('mini-said', out.message || t('ok'));
    await refreshMini();
  }).then(drawMini));
}
