// Template text to a tree of nodes: { text }, { path, filters, line }, { if | each, path, as, then, else, line }.

import { TemplateError } from './error.mjs';

const TAG = /\{\{(.*?)\}\}/gs;
const PATH = /^[\p{L}_][\p{L}\p{N}_-]*(\.[\p{L}\p{N}_-]+)*$/u;
const EACH = /^(\S+) as ([\p{L}_][\p{L}\p{N}_]*)$/u;
const ARGUMENTS = /"((?:[^"\\]|\\.)*)"|(\S+)/g;

/** Texts and tags of a template, with line numbers. */
function* pieces(template) {
  let at = 0;
  let line = 1;
  for (const match of template.matchAll(TAG)) {
    const tag = match[1].trim();
    let [start, end] = [match.index, match.index + match[0].length];
    if (/^[#/!]|^else$/.test(tag)) [start, end] = wholeLine(template, at, start, end);
    const text = template.slice(at, start);
    yield { text, line };
    line += newlines(template.slice(at, match.index));
    yield { tag, line };
    line += newlines(template.slice(match.index, end));
    at = end;
  }
  yield { text: template.slice(at), line };
}

const newlines = (text) => text.split('\n').length - 1;

/** The bounds of a tag, widened to its line if nothing else stands there. */
function wholeLine(template, from, start, end) {
  const before = /(^|\n)[ \t]*$/.exec(template.slice(from, start));
  const after = /^[ \t]*(\r?\n|$)/.exec(template.slice(end));
  if (!before || !after || (before[1] === '' && from !== 0 && template[from - 1] !== '\n')) return [start, end];
  return [from + before.index + before[1].length, end + after[0].length];
}

function checkedPath(path, line) {
  if (!PATH.test(path)) throw new TemplateError(`"${path}" is no name such as customer.name`, line);
  return path;
}

function value(tag, line) {
  const [path, ...filters] = splitFilters(tag);
  const parsed = filters.map((filter) => {
    const words = [...filter.matchAll(ARGUMENTS)].map((match) => (match[1] === undefined ? match[2] : JSON.parse(`"${match[1]}"`)));
    if (words.length === 0) throw new TemplateError('a filter is missing after |', line);
    return { name: words[0], argument: words[1] };
  });
  return { path: checkedPath(path, line), filters: parsed, line };
}

/** The parts between |, but for those in quotation marks. */
function splitFilters(tag) {
  return (tag.match(/(?:"(?:[^"\\]|\\.)*"|[^|"])+/g) ?? ['']).map((part) => part.trim());
}

function block(tag, line) {
  const [, kind, rest] = /^#(\w*)\s*(.*)$/s.exec(tag);
  if (kind === 'if') return { kind, path: checkedPath(rest, line), line };
  const each = kind === 'each' && EACH.exec(rest);
  if (each) return { kind, path: checkedPath(each[1], line), as: each[2], line };
  throw new TemplateError(`"{{${tag}}}" is neither {{#if name}} nor {{#each names as name}}`, line);
}

export function parse(template) {
  const root = { kind: 'template', then: [], line: 1 };
  const open = [root];
  let into = root.then;
  for (const { text, tag, line } of pieces(template)) {
    const current = open.at(-1);
    if (tag === undefined) {
      if (text !== '') into.push({ text });
    } else if (tag.startsWith('#')) {
      const node = { ...block(tag, line), then: [], else: [], outer: into };
      into.push(node);
      open.push(node);
      into = node.then;
    } else if (tag === 'else') {
      if (current === root || into === current.else) throw new TemplateError('{{else}} belongs to no block', line);
      into = current.else;
    } else if (tag.startsWith('/')) {
      if (tag !== `/${current.kind}`) throw new TemplateError(`{{${tag}}} closes nothing`, line);
      into = open.pop().outer;
    } else if (!tag.startsWith('!')) {
      into.push(value(tag, line));
    }
  }
  if (open.length > 1) throw new TemplateError(`{{#${open.at(-1).kind}}} is never closed`, open.at(-1).line);
  return root.then;
}
