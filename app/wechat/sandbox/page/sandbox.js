'use strict';
// The phone, the clock and the steps.
async function reloadUser() {
  if (state.user) state.user = await box('/users/' + state.user.id);
}

const following = () => Boolean(state.user && state.user.following.includes('oa'));

async function choose(user) {
  state.user = user;
  state.token = '';
  state.member = null;
  state.entries = [];
  state.quizzes = [];
  state.balance = undefined;
  if (user) localStorage.setItem('sandbox.user', user.id);
  await poll();
  draw();
}

async function loadPeople() {
  const first = await box('/users?limit=1');
  const after = Math.max(0, first.total - 200);
  const { items } = await box('/users?limit=200&after=' + after);
  const saved = localStorage.getItem('sandbox.user');
  $('person').replaceChildren(...items.map((p) => {
    const o = el('option', '', `${p.name || '?'} (#${p.id})`);
    o.value = p.id;
    return o;
  }));
  if (!items.length) $('person').append(el('option', '', t('nobody')));
  const user = items.find((p) => p.id === (state.user ? state.user.id : saved)) || items[items.length - 1] || null;
  if (user) $('person').value = user.id;
  if (!state.user || !user || state.user.id !== user.id) await choose(user);
}

// poll reads what may have changed without us: the clock, the menu and what arrived.
async function poll() {
  const clock = await box('/clock');
  state.now = clock.now;
  state.mode = clock.mode;
  const menu = (await box('/menu?account=oa' + (state.user ? '&user=' + state.user.id : ''))).button || [];
  if (JSON.stringify(menu) !== JSON.stringify(state.menu)) { // published since, or another one for this person's tags
    state.menu = menu;
    drawMenu();
  }
  if (state.user) {
    const user = state.user.id;
    const { items } = await box(`/users/${user}/inbox`);
    if (!state.user || state.user.id !== user) return;
    const grown = items.length !== state.inbox.length;
    state.inbox = items;
    if (grown) drawMessages();
  } else if (state.inbox.length) {
    state.inbox = [];
    drawMessages();
  }
  drawClock();
}

function drawClock() {
  const d = shanghai(state.now);
  const time = `${pad2(d.getUTCHours())}:${pad2(d.getUTCMinutes())}`;
  $('now').textContent = `${d.getUTCFullYear()}-${pad2(d.getUTCMonth() + 1)}-${pad2(d.getUTCDate())} ${time}:${pad2(d.getUTCSeconds())} ${weekday(d)}`;
  $('mode').textContent = t(state.mode);
  $('phone-time').textContent = time;
  $('phone-day').textContent = `${d.getUTCMonth() + 1}-${d.getUTCDate()} ${weekday(d)}`;
}

// ordered puts a sent message after what had arrived before it, since a standing clock gives all the same time.
function ordered() {
  const out = [];
  const sent = own.read().sent || [];
  let i = 0;
  for (const m of state.inbox.filter((x) => x.account === 'oa')) {
    while (i < sent.length && sent[i].after < m.seq) out.push({ ...sent[i++], mine: true });
    out.push(m);
  }
  while (i < sent.length) out.push({ ...sent[i++], mine: true });
  return out;
}

// picture shows an upload; one that the sandbox has forgotten shows as words.
function picture(src, words) {
  const img = el('img', 'picture');
  img.alt = words || '';
  img.addEventListener('error', () => img.replaceWith(el('p', '', words || '')));
  img.src = src;
  return img;
}

// articlesOf are the articles of a passive reply or of a customer message.
function articlesOf(m) {
  if (m.type !== 'news' || !m.data) return [];
  if (Array.isArray(m.data)) return m.data.map((a) => ({ title: a.Title, description: a.Description, url: a.Url, picurl: a.PicUrl }));
  return m.data.articles || [];
}

function article(a) {
  const box = el('div', 'article');
  const kept = /^http:\/\/mmbiz\.qpic\.cn\/mmbiz\/([0-9A-Za-z]+)\//.exec(a.picurl || '');
  if (kept) box.append(picture('/sandbox/media/' + kept[1], ''));
  box.append(el('b', '', a.title || ''), el('p', '', a.description || ''), el('small', '', a.url || ''));
  return box;
}

function bubble(m) {
  const line = el('div', 'line' + (m.mine ? ' mine' : '') + (m.channel === 'system' ? ' system' : ''));
  const b = el('div', 'bubble');
  const articles = articlesOf(m);
  if (m.type === 'image' && m.data && m.data.media_id) b.append(picture('/sandbox/media/' + m.data.media_id, m.content));
  else if (articles.length) b.append(...articles.map(article));
  else b.append(el('p', '', m.content || ''));
  b.append(el('small', '', (m.mine ? '' : t(m.channel) + ' · ') + showMoment(m.time)));
  for (const item of (m.type === 'msgmenu' && m.data && m.data.list) || []) {
    const choice = el('button', 'link', item.content);
    choice.type = 'button';
    choice.addEventListener('click', () => send(item.content, String(item.id)));
    b.append(choice);
  }
  line.append(b);
  return line;
}

function drawMessages() {
  $('chat').replaceChildren(...ordered().map(bubble));
  $('chat').scrollTop = $('chat').scrollHeight;
  const notes = state.inbox.filter((m) => m.account !== 'oa');
  $('notes').replaceChildren(...notes.map(bubble).reverse());
  if (!notes.length) $('notes').append(el('p', 'empty', t('noNotes')));
  if (state.tab === 'note') own.write({ seen: notes.length });
  const unread = notes.length - (own.read().seen || 0);
  $('unread').textContent = unread;
  $('unread').hidden = unread <= 0;
  drawSteps();
}

function drawMenu() {
  const buttons = state.menu.length ? state.menu : [{ type: 'click', name: '签到', key: 'CHECKIN' }];
  $('menu').replaceChildren(...buttons.map((m) => {
    const b = el('button', '', m.name);
    b.type = 'button';
    b.addEventListener('click', () => tap(m));
    return b;
  }));
}

function tap(m) {
  $('sub').hidden = true;
  if (m.sub_button && m.sub_button.length) {
    $('sub').replaceChildren(...m.sub_button.map((s) => {
      const b = el('button', '', s.name);
      b.type = 'button';
      b.addEventListener('click', () => tap(s));
      return b;
    }));
    $('sub').hidden = false;
    return;
  }
  if (m.type === 'miniprogram') return show('mini');
  if (m.type === 'view') return say('said', m.url);
  if (m.type !== 'click') return;
  guarded('said', async () => {
    remember('[' + m.name + ']');
    await deed('click', { account: 'oa', key: m.key });
    if (m.key === 'CHECKIN') own.write({ checkin: true });
    await poll();
  }).then(drawMessages);
}

function remember(content) {
  const last = state.inbox.length ? state.inbox[state.inbox.length - 1].seq : 0;
  own.write({ sent: [...(own.read().sent || []), { content, time: state.now, after: last }].slice(-100) });
  drawMessages();
}

function send(content, menuID) {
  return guarded('said', async () => {
    remember(content);
    await deed('text', menuID ? { account: 'oa', content, menu_id: menuID } : { account: 'oa', content });
    if (content.trim() === '签到') own.write({ checkin: true });
    await poll();
  }).then(drawMessages);
}

function scan(scene) {
  if (!state.user) return say('said', t('chooseFirst'));
  return guarded('said', async () => {
    await deed('scan', { account: 'oa', scene });
    await reloadUser();
    await poll();
  }).then(draw);
}

function nextWednesday() {
  const d = shanghai(state.now);
  const at = new Date(Date.UTC(d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate() + ((3 - d.getUTCDay() + 7) % 7), 10));
  if (at <= d) at.setUTCDate(at.getUTCDate() + 7);
  return at.toISOString().slice(0, 19) + '+08:00';
}

function move(how) {
  return guarded('clock-said', async () => {
    const before = state.inbox.length ? state.inbox[state.inbox.length - 1].seq : 0;
    say('clock-said', how === 'tick' ? '' : t('moving'));
    const body = how === 'tick' ? { tick: true } : how === 'wednesday' ? { now: nextWednesday() } : { advance: how };
    await act('/clock', body);
    say('clock-said', '');
    await poll();
    if (how === 'wednesday' && state.user) {
      const fresh = state.inbox.filter((m) => m.seq > before);
      own.write({ wednesday: fresh.length ? 'yes' : 'no', message: fresh.length ? fresh[fresh.length - 1].content : '' });
    }
    if (state.member) await refreshMini();
  }).then(draw);
}

const STEPS = [
  { done: () => following(), go: () => scan('poster') },
  { done: () => Boolean(own.read().member), go: () => show('mini') },
  { done: () => Boolean(own.read().checkin), go: () => { show('chat'); if (following()) send('签到'); } },
  { done: () => Boolean(own.read().ledger), go: () => show('mini') },
  { done: () => own.read().wednesday === 'yes', go: () => move('wednesday') },
];

function drawSteps() {
  let open = true;
  $('steps').replaceChildren(...STEPS.map((s, i) => {
    const done = Boolean(state.user) && s.done();
    const li = el('li', done ? 'done' : open ? 'next' : '');
    li.append(el('i', '', done ? '✓' : String(i + 1)), el('span', '', t('s' + (i + 1))));
    if (!done && open) {
      const b = el('button', 'main', t('go'));
      b.type = 'button';
      b.addEventListener('click', () => (state.user ? s.go() : start()));
      li.append(b);
      open = false;
    }
    return li;
  }));
  drawOutcome();
}

function drawOutcome() {
  const { wednesday, message } = state.user ? own.read() : {};
  say('outcome', wednesday === 'yes' ? t('arrived') + message : wednesday === 'no' ? t('nothing') : '');
  if (wednesday === 'no') {
    const a = el('a', '', t('broadcasts'));
    a.href = '/console/broadcasts';
    $('outcome').append(a);
  }
}

function draw() {
  words();
  $('stranger').hidden = following();
  $('talk').hidden = !following();
  $('follow').disabled = !state.user;
  $('unfollow').hidden = !following();
  const facts = state.user ? [['openid', state.user.openids.oa], ['unionid', state.user.unionid], ['phone', state.user.phone]] : [];
  $('facts').replaceChildren(...facts.flatMap(([k, v]) => [el('dt', '', t(k)), el('dd', '', v)]));
  for (const b of document.querySelectorAll('[data-tab]')) b.setAttribute('aria-selected', String(b.dataset.tab === state.tab));
  for (const name of ['chat', 'mini', 'note']) $('pane-' + name).hidden = name !== state.tab;
  drawMenu();
  drawMessages();
  drawMini();
  if (state.now) drawClock();
}

async function show(tab) {
  state.tab = tab;
  draw();
  if (tab === 'mini') await openMini();
}

// start makes a first person and lets him scan the poster.
async function start() {
  await create(lang === 'zh' ? '小私' : 'Alice');
  await scan('poster');
}

const create = (name) => guarded('said', async () => {
  const user = await act('/users', { name });
  state.user = user;
  localStorage.setItem('sandbox.user', user.id);
  await loadPeople();
  await choose(user);
});

function wire() {
  $('lang').addEventListener('click', () => {
    lang = lang === 'zh' ? 'en' : 'zh';
    localStorage.setItem('sandbox.lang', lang);
    draw();
  });
  $('person').addEventListener('change', async () => choose(await box('/users/' + $('person').value)));
  $('new').addEventListener('submit', (e) => {
    e.preventDefault();
    create($('name').value.trim() || (lang === 'zh' ? '新朋友' : 'Somebody')).then(() => { $('name').value = ''; });
  });
  $('chat-enter').addEventListener('submit', (e) => { e.preventDefault(); enterChat($('chat-name').value.trim(), $('chat-bind').value.trim()); });
  $('scan').addEventListener('submit', (e) => { e.preventDefault(); scan($('scene').value.trim()); });
  $('follow').addEventListener('click', () => guarded('said', async () => {
    await deed('follow', { account: 'oa' });
    await reloadUser();
    await poll();
  }).then(draw));
  $('unfollow').addEventListener('click', () => guarded('said', async () => {
    await deed('unfollow', { account: 'oa' });
    await reloadUser();
    await poll();
    say('said', t('left'));
  }).then(draw));
  $('say').addEventListener('submit', (e) => {
    e.preventDefault();
    const text = $('text').value;
    if (!text.trim()) return;
    $('text').value = '';
    send(text);
  });
  for (const b of document.querySelectorAll('[data-tab]')) b.addEventListener('click', () => show(b.dataset.tab));
  for (const b of document.querySelectorAll('[data-clock]')) b.addEventListener('click', () => move(b.dataset.clock));
  wireMini();
}

async function begin() {
  wire();
  words();
  try {
    state.templates = (await box('/templates')).items;
    await poll();
    await loadPeople();
  } catch (e) {
    say('said', e.message);
  }
  draw();
  setInterval(() => { if (!state.busy && !document.hidden) poll().catch((e) => say('said', e.message)); }, 2000);
}
begin();
