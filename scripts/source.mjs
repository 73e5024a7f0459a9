// Reads what scripts/floors.mjs wants to know out of one TypeScript file.

import { parseAst } from 'rolldown/parseAst'

const ambientNames = new Set([
  ...['setTimeout', 'setInterval', 'setImmediate', 'AbortSignal.timeout'],
  ...['Date.now', 'performance.now', 'Math.random'],
  ...['crypto.getRandomValues', 'crypto.randomUUID'],
])
const overruled = /(?:oxlint|eslint)-disable|@ts-(?:ignore|expect-error|nocheck)/g

/**
 * @param {string} path
 * @param {string} text
 */
export function read(path, text) {
  const imports = []
  const ambient = []
  const ifs = []
  const counts = { any: 0, nonNull: 0, casts: 0, disabled: text.match(overruled)?.length ?? 0 }
  const lineOf = (node) => text.slice(0, node.start).split('\n').length

  let tree
  try {
    tree = parseAst(text, { lang: 'ts' }, path)
  } catch (error) {
    return { broken: error.message }
  }
  visit(tree, (node) => {
    const line = lineOf(node)
    const from = node.source ?? (node.type === 'TSImportType' ? node.argument : undefined)
    if (from) imports.push({ name: literal(from) ?? '(computed)', line })
    const what = ambientUse(node)
    if (what) ambient.push({ what, line })
    if (node.type === 'IfStatement') ifs.push(line)
    if (node.type === 'TSAnyKeyword') counts.any++
    if (node.type === 'TSNonNullExpression') counts.nonNull++
    if (node.type === 'TSTypeAssertion' || (node.type === 'TSAsExpression' && !isConst(node))) {
      counts.casts++
    }
  })
  return { imports, ambient, ifs, counts, lines: text.trimEnd().split('\n').length }
}

/** Calls `look` with each node that stands for a value, a type or a statement, not with names. */
function visit(node, look) {
  look(node)
  const names = node.computed ? [] : ['property', 'key']
  for (const [field, value] of Object.entries(node)) {
    if (names.includes(field)) continue
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child?.type === 'string') visit(child, look)
    }
  }
}

function ambientUse(node) {
  const isDate = (callee) => fullName(callee) === 'Date'
  if (node.type === 'NewExpression' && isDate(node.callee) && node.arguments.length === 0) {
    return 'new Date()'
  }
  if (node.type === 'CallExpression' && isDate(node.callee)) return 'Date()'
  const name = fullName(node)
  return ambientNames.has(name) ? name : undefined
}

/** `crypto.randomUUID` for that and for `globalThis.crypto.randomUUID`. */
function fullName(node) {
  if (node.type === 'Identifier') return node.name
  if (node.type !== 'MemberExpression' || node.computed) return undefined
  const name = `${fullName(node.object)}.${node.property.name}`
  return name.replace(/^globalThis\./, '')
}

function literal(node) {
  if (node.type === 'TSLiteralType') return literal(node.literal)
  if (node.type === 'TemplateLiteral' && node.quasis.length === 1)
    return node.quasis[0].value.cooked
  return node.type === 'Literal' ? node.value : undefined
}

function isConst({ typeAnnotation }) {
  return typeAnnotation.type === 'TSTypeReference' && typeAnnotation.typeName.name === 'const'
}
