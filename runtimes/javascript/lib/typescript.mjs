// TypeScript to JavaScript: sucrase takes the types out and keeps every line where it is.
//
// Nothing is checked. What has no types to take out but code to write is: enums and parameter properties are written, namespaces
// with values are refused.

import { transform } from 'sucrase';

import { coded } from './errors.mjs';

const NAMESPACE = /^([ \t]*(?:export[ \t]+)?)(namespace|module)[ \t]+([\w$.]+)\s*\{/gm;

function strip(text, name, transforms) {
  try {
    return transform(text, { transforms, disableESTransforms: true, filePath: undefined, production: true, jsxRuntime: 'classic' }).code;
  } catch (error) {
    const place = /^(.*) \((\d+):(\d+)\)$/s.exec(error.message);
    const failure = new SyntaxError(place ? place[1].replace(/^Error transforming [^:]*: /, '') : error.message);
    failure.stack = `${failure.name}: ${failure.message}\n    at ${name}${place ? `:${place[2]}:${place[3]}` : ''}`;
    throw failure;
  }
}

// The text between a brace and the one that closes it, as good as it can be had without parsing; to the end if there is none.
function body(text, start) {
  let depth = 1;
  for (let at = start; at < text.length; at += 1) {
    if (text[at] === '{') depth += 1;
    if (text[at] === '}') depth -= 1;
    if (depth === 0) return text.slice(start, at);
  }
  return text.slice(start);
}

// sucrase drops namespaces without a word. One that was dropped is gone from the output's line; one in a comment or string is not.
function refuseNamespaces(text, code, name) {
  for (const match of text.matchAll(NAMESPACE)) {
    const line = text.slice(0, match.index).split('\n').length;
    const start = match.index + match[0].length;
    const kept = code.split('\n')[line - 1] ?? '';
    if (kept.includes(`${match[2]} ${match[3]}`)) continue;
    const values = strip(body(text, start), name, ['typescript']).replace(/\/\*[\s\S]*?\*\/|\/\/.*|export\s*\{\s*\}|[;\s]/g, '');
    if (values === '') continue;
    const failure = coded('ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX', `TypeScript namespace '${match[3]}' has values, which taking types out cannot keep: export them from a module of their own`, SyntaxError);
    failure.stack = `${failure.name} [${failure.code}]: ${failure.message}\n    at ${name}:${line}:${match[1].length + 1}`;
    throw failure;
  }
}

// The JavaScript of a TypeScript file. With `toCommonJs`, its imports and exports become CommonJS.
export function stripTypes(text, name, toCommonJs) {
  const isJsx = name.endsWith('x');
  const code = strip(text, name, ['typescript', ...(isJsx ? ['jsx'] : []), ...(toCommonJs ? ['imports'] : [])]);
  if (/\b(namespace|module)\s+[\w$.]+\s*\{/.test(text)) refuseNamespaces(text, code, name);
  return code;
}
