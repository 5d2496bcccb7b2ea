// The page of the API: every operation of /openapi.json, grouped by tag, with a form that calls it and the curl line that does the same.
'use strict';

const root = document.getElementById('docs');
const say = root.dataset;
let spec;

function el(tag, props, ...children) {
  const node = Object.assign(document.createElement(tag), props || {});
  node.append(...children.filter((c) => c !== null && c !== undefined && c !== ''));
  return node;
}

function deref(schema) {
  while (schema && schema.$ref) schema = spec.components.schemas[schema.$ref.split('/').pop()];
  return schema || {};
}

function typeOf(schema) {
  schema = deref(schema);
  return Array.isArray(schema.type) ? schema.type.find((t) => t !== 'null') : schema.type;
}

// example makes a value of a schema from its examples, so that it can be sent as it stands. Fields without an example stay out
// unless they are required.
function example(schema, depth = 0) {
  schema = deref(schema);
  if (schema.examples && schema.examples.length) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (depth > 6) return null;
  switch (typeOf(schema)) {
    case 'object': {
      const out = {};
      const required = schema.required || [];
      for (const [name, prop] of Object.entries(schema.properties || {})) {
        const inner = deref(prop);
        if (required.includes(name) || (inner.examples && inner.examples.length) || (prop.examples && prop.examples.length)) {
          out[name] = prop.examples && prop.examples.length ? prop.examples[0] : example(prop, depth + 1);
        }
      }
      return out;
    }
    case 'array': {
      const item = schema.items ? example(schema.items, depth + 1) : null;
      return item === null ? [] : [item];
    }
    case 'integer': case 'number': return schema.minimum !== undefined ? schema.minimum : 1;
    case 'boolean': return false;
    case 'string': return schema.format === 'date-time' ? '2026-11-23T09:00:00+08:00' : schema.format === 'date' ? '2026-11-23' : '';
    default: return null;
  }
}

// rows lists the fields of a schema: name, type and limits, description.
function rows(schema, prefix = '', seen = []) {
  schema = deref(schema);
  if (seen.includes(schema)) return [];
  seen = seen.concat(schema);
  if (typeOf(schema) === 'array') return rows(schema.items, prefix + '[]', seen);
  let out = [];
  for (const [name, prop] of Object.entries(schema.properties || {})) {
    const full = prefix ? prefix + '.' + name : name;
    out.push(row(full, prop, (schema.required || []).includes(name)));
    out = out.concat(rows(prop, full, seen));
  }
  return out;
}

function row(name, schema, required, input) {
  const s = deref(schema);
  const facts = [typeOf(s) || '', s.format, s.enum && s.enum.join(' | '), s.pattern];
  for (const k of ['minimum', 'maximum', 'minLength', 'maxLength', 'maxItems', 'default']) if (s[k] !== undefined) facts.push(k + ' ' + s[k]);
  return el('tr', {}, el('td', {}, el('code', {}, name), required ? ' ' + say.required : ''),
    el('td', { className: 'quiet' }, facts.filter(Boolean).join(', ')),
    el('td', {}, schema.description || s.description || '', input ? el('div', {}, input) : ''));
}

function quote(s) { return "'" + s.replaceAll("'", "'\\''") + "'"; }

function operation(path, method, op) {
  const inputs = [];
  const params = (op.parameters || []).map((p) => {
    const given = p.example || (p.schema && deref(p.schema).examples || [])[0] || (p.in === 'path' ? '1' : '');
    const input = el('input', { value: given, ariaLabel: p.name });
    inputs.push([p, input]);
    return row(p.name, Object.assign({ description: p.description }, deref(p.schema)), p.required, input);
  });
  const media = op.requestBody && op.requestBody.content['application/json'];
  const body = media && el('textarea', { spellcheck: false, ariaLabel: say.body, value: JSON.stringify(media.example || example(media.schema), null, 2) });
  const secured = (op.security || []).length > 0;

  function request() {
    let url = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const [p, input] of inputs) {
      if (p.in === 'path') url = url.replace('{' + p.name + '}', encodeURIComponent(input.value));
      else if (input.value === '') continue;
      else if (p.in === 'query') query.append(p.name, input.value);
      else if (p.in === 'header') headers[p.name] = input.value;
    }
    if (secured) headers.Authorization = 'Bearer ' + document.getElementById('token').value.trim();
    if (body) headers['Content-Type'] = 'application/json';
    if (query.size) url += '?' + query;
    return { url, method: method.toUpperCase(), headers, body: body ? body.value : undefined };
  }

  // Without a token the line takes it from where it is: the file of the first start, or the shell.
  const authorization = () => {
    const token = document.getElementById('token').value.trim();
    if (token) return quote('Authorization: Bearer ' + token);
    return '"Authorization: Bearer ' + ((op.tags || [])[0] === 'member' ? '$TOKEN' : '$(cat data/admin.token)') + '"';
  };
  const curl = el('pre');
  function showCurl() {
    const r = request();
    const parts = ['curl -sS -X ' + r.method + ' ' + quote(location.origin + r.url)];
    for (const [k, v] of Object.entries(r.headers)) parts.push('-H ' + (k === 'Authorization' ? authorization() : quote(k + ': ' + v)));
    if (r.body !== undefined) parts.push('-d ' + quote(r.body));
    curl.textContent = parts.join(' \\\n  ');
  }

  const answer = el('pre', { className: 'hidden' });
  const send = el('button', { type: 'button', className: 'main', onclick: async () => {
    const r = request();
    answer.className = '';
    answer.textContent = '…';
    try {
      const res = await fetch(r.url, r);
      const text = await res.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: as it is */ }
      answer.textContent = res.status + ' ' + res.statusText + '\n\n' + shown;
    } catch (e) { answer.textContent = String(e); }
  } }, say.try);
  const copy = el('button', { type: 'button', onclick: async () => {
    await navigator.clipboard.writeText(curl.textContent);
    copy.textContent = say.copied;
  } }, say.copy);

  const success = Object.entries(op.responses || {}).find(([code]) => code.startsWith('2'));
  const out = success && success[1].content && success[1].content['application/json'];
  const details = el('details', { className: 'op' },
    el('summary', {}, el('span', { className: 'method ' + method }, method.toUpperCase()), el('span', { className: 'path' }, path),
      el('span', { className: 'quiet' }, op.summary || '', secured ? '' : ' · ' + say.public)));
  details.dataset.text = (method + ' ' + path + ' ' + (op.summary || '')).toLowerCase();
  details.addEventListener('toggle', () => {
    if (!details.open || details.childElementCount > 1) return;
    const table = (list) => el('table', {}, el('tbody', {}, ...list));
    details.append(el('div', {},
      op.description ? el('p', {}, op.description) : '',
      params.length ? el('h3', {}, say.params) : '', params.length ? table(params) : '',
      body ? el('h3', {}, say.body) : '', body || '', body ? table(rows(media.schema)) : '',
      curl, send, copy, answer,
      out ? el('h3', {}, say.answer + ' ' + success[0]) : '', out ? table(rows(out.schema)) : ''));
    showCurl();
  });
  details.addEventListener('input', showCurl);
  document.getElementById('token').addEventListener('input', () => { if (details.open) showCurl(); });
  return details;
}

function show() {
  const groups = new Map((spec.tags || []).map((t) => [t.name, { tag: t, ops: [] }]));
  for (const [path, item] of Object.entries(spec.paths || {})) {
    for (const method of ['get', 'post', 'put', 'patch', 'delete']) {
      const op = item[method];
      if (!op) continue;
      const name = (op.tags || [''])[0];
      if (!groups.has(name)) groups.set(name, { tag: { name }, ops: [] });
      groups.get(name).ops.push(operation(path, method, op));
    }
  }
  for (const { tag, ops } of groups.values()) root.append(el('section', {}, el('h2', {}, tag.name), el('p', { className: 'quiet' }, tag.description || ''), ...ops));
}

document.getElementById('filter').addEventListener('input', (e) => {
  const words = e.target.value.toLowerCase().split(/\s+/);
  for (const d of document.querySelectorAll('details.op')) d.classList.toggle('hidden', !words.every((w) => d.dataset.text.includes(w)));
});

fetch('/openapi.json').then((r) => r.json()).then((doc) => { spec = doc; show(); }).catch(() => { root.append(el('p', { className: 'notice' }, say.failed)); });
