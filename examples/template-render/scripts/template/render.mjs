// A tree of nodes and data to text.

import { TemplateError } from './error.mjs';
import { escapes, filters } from './filters.mjs';

export function render(nodes, data, escape) {
  const used = new Set();
  const text = renderAll(nodes, { scopes: [{ values: data, paths: {} }], escape: escapes[escape], used });
  return { text, used: [...used].sort() };
}

const renderAll = (nodes, context) => nodes.map((node) => renderNode(node, context)).join('');

function renderNode(node, context) {
  if (node.text !== undefined) return node.text;
  const { value, path } = lookup(node.path, context);
  if (node.kind === 'if') return renderAll(isSomething(value) ? node.then : node.else, context);
  if (node.kind === 'each') return renderEach(node, value, path, context);
  return renderValue(node, value, context);
}

/** The value at a path, from the innermost scope that knows its first name; undefined if there is none. */
function lookup(path, { scopes, used }) {
  const [first, ...rest] = path.split('.');
  const { values, paths } = scopes.findLast((scope) => Object.hasOwn(scope.values, first)) ?? scopes[0];
  const read = [paths[first] ?? first, ...rest].join('.');
  // A number of a loop is not part of the data.
  if (paths[first] !== null) used.add(read);
  let value = values;
  for (const name of [first, ...rest]) {
    value = value !== null && typeof value === 'object' && Object.hasOwn(value, name) ? value[name] : undefined;
  }
  return { value, path: read };
}

function isSomething(value) {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

function renderEach(node, list, path, context) {
  if (!Array.isArray(list ?? [])) throw new TemplateError(`${node.path} is no list`, node.line);
  if (!isSomething(list)) return renderAll(node.else, context);
  return list
    .map((element, at) => {
      const scope = { values: { [node.as]: element, index: at + 1 }, paths: { [node.as]: `${path}[]`, index: null } };
      return renderAll(node.then, { ...context, scopes: [...context.scopes, scope] });
    })
    .join('');
}

function renderValue(node, value, { escape }) {
  let raw = false;
  for (const { name, argument } of node.filters) {
    if (name === 'raw') {
      raw = true;
      continue;
    }
    if (!Object.hasOwn(filters, name)) {
      throw new TemplateError(`no filter is called ${name}; there are ${Object.keys(filters).join(', ')}, raw`, node.line);
    }
    if (value === undefined && name !== 'default') break;
    value = filters[name](value, argument, (wanted) => {
      throw new TemplateError(`${name} needs ${wanted}; ${node.path} is ${JSON.stringify(value)}`, node.line);
    });
  }
  if (value === undefined) throw new TemplateError(`the data has no ${node.path}`, node.line);
  if (value !== null && typeof value === 'object') {
    throw new TemplateError(`${node.path} is ${Array.isArray(value) ? 'a list' : 'an object'}; use {{#each}}, join or json`, node.line);
  }
  return raw ? String(value ?? '') : escape(String(value ?? ''));
}
